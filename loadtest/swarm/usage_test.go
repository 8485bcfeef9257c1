package swarm

import (
	"io"
	"testing"
	"time"
)

// CPU time that a process has taken stays taken when it has died.
func TestUsageOfTheDead(t *testing.T) {
	t.Parallel()
	c, stdout, err := start("shell", []string{"sh", "-c", "n=0; while [ $n -lt 300000 ]; do n=$((n+1)); done; echo; read x"}, 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer stdout.Close()
	if _, err := io.ReadFull(stdout, make([]byte, 1)); err != nil { // it has worked
		t.Fatal(err)
	}
	alive := c.usage()
	c.end(10 * time.Second)
	dead := c.usage()
	if alive.RSS == 0 || alive.CPUNs < 2*tick || dead.CPUNs < alive.CPUNs || dead.RSS != 0 {
		t.Errorf("usage %+v alive and %+v dead, want all of the CPU time and no memory", alive, dead)
	}
	r := newRun(Config{}, Plan{}, nil)
	r.seconds.Stop()
	r.servers, r.replacedCPU = []*server{{child: c}}, 5
	if got := r.serverUsage().CPUNs; got != dead.CPUNs+5 {
		t.Errorf("CPU time of all servers %d, want %d", got, dead.CPUNs+5)
	}
	for _, w := range []*worker{
		{process: c, told: usage{RSS: 1, CPUNs: 7}, gone: true},
		{process: &remote{}, told: usage{RSS: 1, CPUNs: 7}, gone: true},
	} {
		if got, want := w.usage(), (usage{CPUNs: 7}); got != want {
			t.Errorf("usage %+v of a client process that has died, want %+v", got, want)
		}
	}
}
