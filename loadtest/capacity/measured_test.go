package capacity_test

import (
	"strings"
	"testing"

	"github.com/roost-rt/roost/loadtest/capacity"
)

// Each figure that is required and missing is named, with the command that measures it;
// that of pushes has a default.
func TestWhatIsMissing(t *testing.T) {
	t.Parallel()
	const chat, idle = "(loadtest -clients 10000)", "(loadtest idle -clients 10000)"
	for _, tt := range []struct {
		drop       func(m *capacity.Measured) *capacity.Figure
		name, made string // "" for none
	}{
		{func(m *capacity.Measured) *capacity.Figure { return &m.ServerBytes }, "server's memory per client", chat},
		{func(m *capacity.Measured) *capacity.Figure { return &m.KernelBytes }, "kernel's memory per connection, server's end", chat},
		{func(m *capacity.Measured) *capacity.Figure { return &m.EmptyBytes }, "server's memory without clients", chat},
		{func(m *capacity.Measured) *capacity.Figure { return &m.JoinUs }, "server's CPU per connect and join", chat},
		{func(m *capacity.Measured) *capacity.Figure { return &m.DeliveryUs }, "server's CPU per delivery", chat},
		{func(m *capacity.Measured) *capacity.Figure { return &m.HeartbeatUs }, "server's CPU per heartbeat", idle},
		{func(m *capacity.Measured) *capacity.Figure { return &m.PushUs }, "", ""},
	} {
		for _, v := range []float64{0, -1} {
			m := measured()
			tt.drop(&m).Value = v
			err := m.Check()
			if tt.name == "" {
				if err != nil {
					t.Errorf("without a cost of pushes: %v, want the default taken", err)
				}
				continue
			}
			if want := "no run has the " + tt.name + ": make one " + tt.made + " and add its folder"; err == nil || err.Error() != want {
				t.Errorf("%v: %v, want %s", v, err, want)
			}
		}
	}
}

// What no run told of pushes is assumed, and the report says so; what one told is used.
func TestCostOfPushes(t *testing.T) {
	t.Parallel()
	c := capacity.Config{Clients: []int64{1000}}
	for _, tt := range []struct {
		push    capacity.Figure
		us      float64
		assumed bool
	}{{capacity.Figure{}, 10, true}, {capacity.Figure{Value: 25, From: "mine"}, 25, false}} {
		m := measured()
		m.PushUs = tt.push
		r, err := capacity.New(c, m)
		if err != nil {
			t.Fatal(err)
		}
		said := strings.Contains(strings.Join(r.Assumed, "\n"), "A client's message takes 10 µs of CPU with its reply (results/echo-10k;")
		if got := r.Plans[0].Node.Cores.Pushes; !near(got, tt.us/1e6, 1e-9) || said != tt.assumed || r.Measured.PushUs.Value != tt.us {
			t.Errorf("pushes of %+v take %v cores of %+v, assumed: %v, want %v µs each, assumed: %v", tt.push, got, r.Measured.PushUs, said, tt.us, tt.assumed)
		}
	}
}

// The report says of the rooms what they were taken for, and how long a node is down.
func TestAssumptionsFollowTheConfig(t *testing.T) {
	t.Parallel()
	for want, c := range map[string]capacity.Config{
		"All rooms have the same number of members.":                        {},
		"The k-th room has 1/k^1.5 of the members of the first one.":        {Workload: capacity.Workload{Zipf: 1.5}},
		"Clients stay for 1m30s on average":                                 {Workload: capacity.Workload{Stay: 90e9}},
		"Each try goes to a random node; for 2s that includes the dead one": {Down: 2e9},
	} {
		c.Clients = []int64{1000}
		if said := strings.Join(plan(t, c).Assumed, "\n"); !strings.Contains(said, want) {
			t.Errorf("%+v: no %q in\n%s", c, want, said)
		}
	}
}
