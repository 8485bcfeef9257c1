package capacity

import "fmt"

// A Figure is a measured value and the run that it is from.
type Figure struct {
	Value float64 `json:"value"`
	From  string  `json:"from"` // empty: assumed
}

// Measured holds the cost of one client, as runs tell. All fields except PushUs are required.
type Measured struct {
	Runs []string `json:"runs"` // what they were and on which machine, a sentence each; for people

	ServerBytes Figure `json:"server_bytes"` // resident memory of the server for each client
	KernelBytes Figure `json:"kernel_bytes"` // kernel memory for each connection, of the server's end alone
	EmptyBytes  Figure `json:"empty_bytes"`  // resident memory of a server process without clients

	// CPU time of the server in microseconds, user and system.
	JoinUs      Figure `json:"join_us"`      // connect, upgrade and join
	DeliveryUs  Figure `json:"delivery_us"`  // one message at one client
	HeartbeatUs Figure `json:"heartbeat_us"` // including everything else an idle server does
	PushUs      Figure `json:"push_us"`      // a client's message, with its reply; 0 means 10, as in results/echo-10k
}

// named is a figure, for people.
type named struct {
	*Figure
	name string
	show func(float64) string
	how  string // a command that measures it; empty if it may be missing
}

func (m *Measured) figures() []named {
	const chat, idle = "loadtest -clients 10000", "loadtest idle -clients 10000"
	return []named{
		{&m.ServerBytes, "server's memory per client", size, chat},
		{&m.KernelBytes, "kernel's memory per connection, server's end", size, chat},
		{&m.EmptyBytes, "server's memory without clients", size, chat},
		{&m.JoinUs, "server's CPU per connect and join", micros, chat},
		{&m.DeliveryUs, "server's CPU per delivery", micros, chat},
		{&m.HeartbeatUs, "server's CPU per heartbeat", micros, idle},
		{&m.PushUs, "server's CPU per client's message and reply", micros, ""},
	}
}

// Merge takes from other what m lacks.
func (m *Measured) Merge(other Measured) {
	m.Runs = append(m.Runs, other.Runs...)
	mine := m.figures()
	for i, f := range other.figures() {
		if mine[i].Value == 0 {
			*mine[i].Figure = *f.Figure
		}
	}
}

// Check fails on what is missing, and says what measures it.
func (m Measured) Check() error {
	for _, f := range m.figures() {
		if f.Value <= 0 && f.how != "" {
			return fmt.Errorf("no run has the %s: make one (%s) and add its folder", f.name, f.how)
		}
	}
	return nil
}
