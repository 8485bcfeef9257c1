package proc

import (
	"io"
	"testing"
	"time"
)

// CPU time that a process has taken stays taken when it has died.
func TestUsageOfTheDead(t *testing.T) {
	t.Parallel()
	c, stdout, err := Start("shell", []string{"sh", "-c", "n=0; while [ $n -lt 300000 ]; do n=$((n+1)); done; echo; read x"}, 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer stdout.Close()
	if _, err := io.ReadFull(stdout, make([]byte, 1)); err != nil { // it has worked
		t.Fatal(err)
	}
	alive := c.Usage()
	c.End(10 * time.Second)
	dead := c.Usage()
	if alive.RSS == 0 || alive.CPUNs < 2*tick || dead.CPUNs < alive.CPUNs || dead.RSS != 0 {
		t.Errorf("usage %+v alive and %+v dead, want all of the CPU time and no memory", alive, dead)
	}
}
