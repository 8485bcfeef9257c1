package poller

import (
	"slices"
	"testing"
	"time"
)

// fired records the ticks of the timeouts of a connection. These tests are
// inside the package because they turn the clock themselves.
type fired struct {
	Handler
	ticks *[]uint32
}

func (f fired) Timeout(c *Conn) { *f.ticks = append(*f.ticks, c.loop.timers.now) }

func TestWheel(t *testing.T) {
	type step struct {
		at uint32
		do func(*Conn)
	}
	bytesIn := func(c *Conn) { c.seen = c.loop.timers.now }
	idle := func(d time.Duration) func(*Conn) { return func(c *Conn) { c.SetIdle(d) } }
	tests := []struct {
		name  string
		steps []step // in order
		until uint32
		want  []uint32
	}{
		{"never", []step{{0, idle(0)}}, 5000, nil},
		{"negative", []step{{0, idle(-time.Second)}}, 5000, nil},
		{"again and again", []step{{0, idle(time.Second)}}, 35, []uint32{11, 22, 33}},
		{"at the horizon", []step{{0, idle(102200 * time.Millisecond)}}, 1100, []uint32{1023}},
		{"beyond the horizon", []step{{0, idle(150 * time.Second)}}, 1600, []uint32{1501}},
		{"the longest", []step{{0, idle(1000 * time.Hour)}}, 66000, []uint32{65535}},
		{"bytes move it", []step{{0, idle(time.Second)}, {9, bytesIn}, {18, bytesIn}}, 35, []uint32{29}},
		{"shortened", []step{{0, idle(time.Minute)}, {5, idle(time.Second)}, {17, idle(0)}}, 2000, []uint32{16}},
		{"shortened, then never", []step{{0, idle(time.Minute)}, {5, idle(time.Second)}, {6, idle(0)}}, 2000, nil},
		{"lengthened", []step{{0, idle(time.Second)}, {5, idle(time.Minute)}}, 700, []uint32{606}},
		{"from never", []step{{0, idle(0)}, {2000, idle(time.Second)}}, 2015, []uint32{2011}},
		{"two entries of one tick", []step{{0, idle(3 * time.Second)}, {5, idle(time.Second)}, {16, idle(1400 * time.Millisecond)}}, 40, []uint32{16, 31}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got []uint32
			l := &loop{}
			c := &Conn{loop: l, handler: fired{ticks: &got}}
			l.timers.add(c, 1)
			for steps := tt.steps; l.timers.now < tt.until; l.advance() {
				for len(steps) > 0 && steps[0].at == l.timers.now {
					steps[0].do(c)
					steps = steps[1:]
				}
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("timeouts at ticks %v, want %v", got, tt.want)
			}
		})
	}
}

// The wheel forgets connections that are closed.
func TestWheelForgets(t *testing.T) {
	l := &loop{}
	c := &Conn{loop: l, handler: fired{}}
	l.timers.add(c, 1)
	c.SetIdle(time.Minute)
	c.handler = nil
	for range horizon + 1 {
		l.advance()
	}
	for i, b := range l.timers.buckets {
		if len(b) != 0 {
			t.Errorf("bucket %d holds %d connections, want none", i, len(b))
		}
	}
}
