package order

// A Follow has the users of a script go through its steps.
type Follow struct {
	Start int64 `json:"start"` // when they begin, and the stages do
}

// A Sent account is when messages were sent that are owed to all who were there: by
// place, which is a topic and an event, and by the process that sent them, in the
// order of their numbers, from 1 on. A moment of 0 is a message that never went out.
type SentAccount map[string]map[uint32][]int64

// Followed tells that the users of a process have done with the steps.
type Followed struct {
	Sent SentAccount `json:"sent,omitempty"` // by this process
}

// A Reading is the result of one of a script's meters.
type Reading struct {
	OK      int64            `json:"ok"`
	Failed  map[string]int64 `json:"failed,omitempty"`  // by what was wrong
	Latency []byte           `json:"latency,omitempty"` // histogram of what came, also of what was not as it must be
}
