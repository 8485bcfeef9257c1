package kernel

import "sort"

// A Verdict says what a limit does to the clients that were asked for.
type Verdict string

// Verdicts.
const (
	OK   Verdict = "ok"
	Slow Verdict = "slow"  // all can connect, but wait or lose time
	Stop Verdict = "LIMIT" // not all can connect
	Note Verdict = "note"  // cannot be judged, or does not apply
)

// A Scope says whom a limit is for, and so where it can be raised.
type Scope string

// Scopes.
const (
	Process   Scope = "process"
	Namespace Scope = "network namespace"
	Machine   Scope = "host"
	User      Scope = "user"
	Cgroup    Scope = "cgroup"
)

// A Limit is one setting, judged.
type Limit struct {
	Name    string  `json:"name"` // of the sysctl, where it is one
	Unit    string  `json:"unit,omitempty"`
	Now     Count   `json:"now"`
	Needed  Count   `json:"needed"`
	Scope   Scope   `json:"scope"`
	Verdict Verdict `json:"verdict"`
	Stops   bool    `json:"stops"` // clients beyond it are refused, lost or killed; else they only wait
	Clients Count   `json:"fits"`  // the most clients before it bites
	Reason  string  `json:"reason"`
	Fix     string  `json:"fix,omitempty"`
}

// A rule is how a limit is judged. need is monotonic in the number of clients; a
// rule without it, or of an unknown number, is a note.
type rule struct {
	name, unit string
	scope      Scope
	stops      bool
	have       Count
	need       func(clients int64) int64
	reason     string
	fix        string // of a note, too: what did not apply before a run may have stopped it
}

// mostClients is more than any host can hold: what fits so many has no bound.
const mostClients = 1 << 32

func (r rule) judge(clients Count) Limit {
	l := Limit{
		Name: r.name, Unit: r.unit, Now: r.have, Needed: Unknown, Scope: r.scope,
		Verdict: Note, Stops: r.stops, Clients: Unlimited, Reason: r.reason,
	}
	if r.need != nil {
		l.Needed = Count(r.need(int64(clients)))
	}
	switch {
	case r.need == nil:
		return l
	case !r.have.known():
		l.Reason = "cannot be read here; " + r.reason
		return l
	}
	// The first number of clients that is too many, less one; -1 if none fits.
	fits := sort.Search(mostClients, func(n int) bool { return r.need(int64(n)) > int64(r.have) }) - 1
	if fits < mostClients-1 {
		l.Clients = Count(max(0, fits))
	}
	switch {
	case l.Needed <= r.have:
		l.Verdict = OK
	case r.stops:
		l.Verdict, l.Fix = Stop, r.fix
	default:
		l.Verdict, l.Fix = Slow, r.fix
	}
	return l
}
