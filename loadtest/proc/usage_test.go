package proc

import (
	"bufio"
	"os/exec"
	"syscall"
	"testing"
)

// Who would die of a signal is not sent it.
func TestCatches(t *testing.T) {
	for _, test := range []struct {
		name, script string
		want         bool
	}{
		{"no handler", "echo; read x", false},
		{"another handler", "trap : USR2; echo; read x", false},
		{"handler", "trap : USR1; echo; read x", true},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := exec.Command("bash", "-c", test.script)
			stdin, err1 := c.StdinPipe()
			stdout, err2 := c.StdoutPipe()
			if err1 != nil || err2 != nil {
				t.Fatal(err1, err2)
			}
			if err := c.Start(); err != nil {
				t.Fatal(err)
			}
			if _, err := bufio.NewReader(stdout).ReadString('\n'); err != nil { // it is ready
				t.Fatal(err)
			}
			if got := catches(c.Process.Pid, syscall.SIGUSR1); got != test.want {
				t.Errorf("catches(%q) = %v, want %v", test.script, got, test.want)
			}
			stdin.Close()
			_ = c.Wait() // read fails at the end of its input
			if !catches(c.Process.Pid, syscall.SIGUSR1) {
				t.Error("catches is false for a process that has ended")
			}
		})
	}
}
