package script

import "time"

// A Script is a scenario file. In all of them the zero value of a field means its
// default.
type Script struct {
	Target Target  `yaml:"target"`
	Users  Users   `yaml:"users"`
	Topics []Topic `yaml:"topics"` // that each user joins, in order
	Steps  []*Step `yaml:"steps"`  // what each does then, again and again
	Rounds int     `yaml:"rounds"` // how often each goes through the steps; 0 is until the end
	For    Time    `yaml:"for"`    // how long they do so, without stages; 0 is 30 s, or until the rounds are over
	Rate   float64 `yaml:"rate"`   // rounds a second over all users, without stages; 0: who is done begins the next at once
	Stages []Stage `yaml:"stages"` // how many users there are when; none is all of them, for For
	SLO    Limits  `yaml:"slo"`    // thresholds that a run must meet, as loadtest -slo has them; they are not read here

	Meters  []Meter         `yaml:"-"` // what is measured, in the order of the file
	Marked  map[string]bool `yaml:"-"` // events that messages with a stamp come back as
	Awaited map[string]bool `yaml:"-"` // events of steps that expect one

	columns []string // of the table of users
	rows    [][]string
	first   int // user, from 0 on, that rows begins with
	env     map[string]string
}

// A Target is the application.
type Target struct {
	URL          string          `yaml:"url"`          // ws:// or wss://, of the socket; /websocket or /longpoll may be left out
	URLs         []string        `yaml:"urls"`         // several, which users take in turn
	Transport    string          `yaml:"transport"`    // websocket, which is the default, or longpoll
	Vsn          string          `yaml:"vsn"`          // of the serializer: 2.0.0, which is the default, or 1.0.0
	Params       map[string]Text `yaml:"params"`       // of the connect, in the query
	Headers      map[string]Text `yaml:"headers"`      // of the request
	Cookies      map[string]Text `yaml:"cookies"`      // likewise
	Subprotocols []string        `yaml:"subprotocols"` // that are offered
	AuthToken    Text            `yaml:"authToken"`    // as authToken of the JavaScript client: a subprotocol, or a header of long polling
	TLS          TLS             `yaml:"tls"`
	Heartbeat    Time            `yaml:"heartbeat"` // between two of a user; 0 is 30 s
}

// TLS is for wss://.
type TLS struct {
	CA         string `yaml:"ca"`         // file of certificates in PEM to trust instead of the host's
	Cert       string `yaml:"cert"`       // file of the users' certificate in PEM, if the application asks for one
	Key        string `yaml:"key"`        // file of its private key
	ServerName string `yaml:"serverName"` // to ask for and to check; "" is the host of the URL
	Insecure   bool   `yaml:"insecure"`   // any certificate will do
	Resume     bool   `yaml:"resume"`     // users go on with a session of another user of their process, as clients do that come back
}

// Users are who there is.
type Users struct {
	Count   int     `yaml:"count"`   // 0 is one for each row of File, or 10, or as many as the stages need
	File    string  `yaml:"file"`    // table with a row for each: .csv with a head, or .jsonl; relative to the scenario file
	Reuse   bool    `yaml:"reuse"`   // more users than rows: they take the rows in turn
	Connect float64 `yaml:"connect"` // connects a second, over all, without stages; 0 is as fast as the server answers
}

// A Topic is one that a user may join.
type Topic struct {
	Topic   Text    `yaml:"topic"`
	As      string  `yaml:"as"`      // what steps call it; "" is the topic as it stands here
	Payload Payload `yaml:"payload"` // of the join
	Reply   *Reply  `yaml:"reply"`   // that it must have; nil is ok within 10 s
	Later   bool    `yaml:"later"`   // it is joined by a step

	Meter int `yaml:"-"` // of the join
}

// A Reply describes the expected answer.
type Reply struct {
	Status string            `yaml:"status"` // "" is ok
	Within Time              `yaml:"within"` // 0 is 10 s
	Match  Payload           `yaml:"match"`  // fields that the response must have, and more
	Save   map[string]string `yaml:"save"`   // names for fields of the response, such as room.id
}

// A Step is one of Push, Join, Leave, Expect, Wait, Repeat and Choose, with what
// belongs to it.
type Step struct {
	Name string `yaml:"name"` // in the report; "" is made of the step

	Push      string     `yaml:"push"`  // event
	Topic     string     `yaml:"topic"` // one of the script's, by its As; "" is the first
	Payload   Payload    `yaml:"payload"`
	Binary    Text       `yaml:"binary"`    // instead of Payload
	Reply     *Reply     `yaml:"reply"`     // nil does not wait for one
	Broadcast *Broadcast `yaml:"broadcast"` // nil expects none

	Join  string `yaml:"join"`  // topic
	Leave string `yaml:"leave"` // topic

	Expect string  `yaml:"expect"` // event that comes, or has come since the last step that expected it
	Match  Payload `yaml:"match"`  // fields that its payload must have, and more
	Within Time    `yaml:"within"` // 0 is 10 s

	Wait   Span     `yaml:"wait"`
	Repeat *Repeat  `yaml:"repeat"`
	Choose []Choice `yaml:"choose"`

	At    int `yaml:"-"` // topic of the script's
	Meter int `yaml:"-"` // of the push or its reply, of what is expected, of a join or leave; -1 for none
	Heard int `yaml:"-"` // of the broadcast; -1 for none
	line  int
}

// A Broadcast is the broadcast that a push causes. Its stamp identifies it.
type Broadcast struct {
	Event  string `yaml:"event"`  // "" means the push's
	Topic  string `yaml:"topic"`  // one of the script's; "" means the push's
	To     string `yaml:"to"`     // all who have joined the topic, which is the default, others but the sender, or self
	Within Time   `yaml:"within"` // in which the sender must have its own; 0 is 10 s

	At int `yaml:"-"` // topic of the script's
}

// A Repeat is steps that a user goes through several times in a row.
type Repeat struct {
	Times int     `yaml:"times"`
	Steps []*Step `yaml:"steps"`
}

// A Choice is steps that a user goes through sometimes.
type Choice struct {
	Weight *float64 `yaml:"weight"` // of all weights; nil is 1, and 0 never
	Steps  []*Step  `yaml:"steps"`
}

// A Stage is how many users there are at its end, and how many rounds they begin a
// second.
type Stage struct {
	For   Time     `yaml:"for"`   // 0 is a jump
	Users int      `yaml:"users"` // at its end; it grows and falls evenly
	Rate  *float64 `yaml:"rate"`  // rounds a second over all users, likewise; nil: who is done begins the next at once
}

// What a Broadcast may be To.
const (
	All    = "all"
	Others = "others"
	Self   = "self"
)

// Transports.
const (
	WebSocket = "websocket"
	LongPoll  = "longpoll"
)

// Patience is how long to wait for something by default, as official clients do.
const Patience = Time(10 * time.Second)
