package chat

import (
	"errors"
	"log/slog"
	"net/http"
	"regexp"
	"slices"
	"sync"
	"time"

	"github.com/roost-rt/roost/server/phx"
)

// Users is the example of one user in several tabs: a shopping list on user:NAME
// that is the same in all of them, and a button that signs all of them out.
//
//	join      {"session": 0} to sign in, or what an earlier join was answered with
//	          to come back; the answer is {"session": …, "items": […]}
//	add       {"text": …}
//	check     {"id": …, "done": …}
//	remove    {"id": …}
//	sign_out  closes all sockets of the user, on all devices
//	items     {"items": […]}: the list after a change, to all tabs
//
// To keep the example short a name is all it takes to sign in. A real server
// has Connect verify a token.
type Users struct {
	mu    sync.Mutex // guards the rest
	users map[string]*user
}

type user struct {
	session int // goes up when the user signs out: who comes back with an old one stays out
	lastID  int
	items   []item
	used    time.Time
}

type item struct {
	ID   int    `json:"id"`
	Text string `json:"text"`
	Done bool   `json:"done"`
}

const (
	maxUsers = 1000 // the one who has been away longest is forgotten
	maxItems = 50
)

var (
	userName = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[a-z0-9]{1,20}$`) })

	errNoItem = phx.Errorf("no such item")
)

// NewUsers returns a Users that knows no one yet.
func NewUsers() *Users { return &Users{users: make(map[string]*user)} }

// Mount is where users connect: Path with the parameter user.
func (u *Users) Mount(path string) phx.Mount {
	return phx.Mount{Path: path, Connect: connectUser, LogConnect: slog.LevelDebug, Routes: []phx.Route{{Pattern: "user:*", Type: &phx.ChannelType{
		Join: phx.On(u.join),
		In: phx.Events{
			"add":      phx.On(u.add),
			"check":    phx.On(u.check),
			"remove":   phx.On(u.remove),
			"sign_out": u.signOut,
		},
	}}}}
}

// connectUser gives all sockets of a user the same id, by which they can be
// closed together.
func connectUser(s *phx.Socket, params phx.Params, _ *http.Request) error {
	name := params.String("user")
	if !userName().MatchString(name) {
		return &phx.RefuseError{Status: http.StatusForbidden, Body: "user must be 1 to 20 lower-case letters and digits"}
	}
	s.SetID("users_socket:" + name)
	s.Assign("user", name)
	return nil
}

type signIn struct {
	Session int `json:"session"`
}

func (s signIn) Validate() error {
	if s.Session < 0 {
		return errors.New("session is negative")
	}
	return nil
}

// join is where a tab that was asleep while its user signed out hears of it: a
// refused connection would tell a browser nothing.
func (u *Users) join(ch *phx.Channel, in signIn) (any, error) {
	if ch.Topic() != "user:"+nameOf(ch) {
		return nil, phx.Errorf("not your list")
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	me := u.userLocked(nameOf(ch), max(1, in.Session)) // unknown: new, or from before a restart
	if in.Session != 0 && in.Session != me.session {
		return nil, phx.Errorf("signed out")
	}
	return map[string]any{"session": me.session, "items": slices.Clone(me.items)}, nil
}

type newItem struct {
	Text string `json:"text"`
}

func (n newItem) Validate() error { return checkText("text", n.Text, 100) }

func (u *Users) add(ch *phx.Channel, n newItem) (any, error) {
	return u.change(ch, func(me *user) error {
		if len(me.items) >= maxItems {
			return phx.Errorf("the list is full: remove something first")
		}
		me.lastID++
		me.items = append(me.items, item{ID: me.lastID, Text: n.Text})
		return nil
	})
}

func (u *Users) check(ch *phx.Channel, with item) (any, error) {
	return u.change(ch, func(me *user) error {
		i := slices.IndexFunc(me.items, func(it item) bool { return it.ID == with.ID })
		if i < 0 {
			return errNoItem
		}
		me.items[i].Done = with.Done
		return nil
	})
}

func (u *Users) remove(ch *phx.Channel, gone item) (any, error) {
	return u.change(ch, func(me *user) error {
		i := slices.IndexFunc(me.items, func(it item) bool { return it.ID == gone.ID })
		if i < 0 {
			return errNoItem
		}
		me.items = slices.Delete(me.items, i, i+1)
		return nil
	})
}

// change edits a user's list and tells all tabs. The lock is held while it does,
// so that the list they get last is the newest.
func (u *Users) change(ch *phx.Channel, edit func(*user) error) (any, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	me := u.userLocked(nameOf(ch), 1)
	if err := edit(me); err != nil {
		return nil, err
	}
	return phx.OK, ch.Socket().Endpoint().Broadcast(ch.Topic(), "items", map[string]any{"items": me.items})
}

// signOut ends the session and closes all sockets of the user. Their clients
// come back at once, as after any loss, and join does not let them in.
func (u *Users) signOut(ch *phx.Channel, _ phx.Payload) (any, error) {
	u.mu.Lock()
	u.userLocked(nameOf(ch), 1).session++
	u.mu.Unlock()
	return nil, ch.Socket().Endpoint().Broadcast(ch.Socket().ID(), "disconnect", nil)
}

// nameOf returns the name that connectUser found.
func nameOf(ch *phx.Channel) string { return ch.Value("user").(string) }

// userLocked is the user of that name, with the given session if not known yet.
func (u *Users) userLocked(name string, session int) *user {
	me, known := u.users[name]
	if !known {
		if len(u.users) >= maxUsers {
			u.forgetLocked()
		}
		me = &user{session: session, items: []item{}}
		u.users[name] = me
	}
	me.used = time.Now()
	return me
}

// forgetLocked forgets the user who has been away longest.
func (u *Users) forgetLocked() {
	var oldest string
	for name, each := range u.users {
		if oldest == "" || each.used.Before(u.users[oldest].used) {
			oldest = name
		}
	}
	delete(u.users, oldest)
}
