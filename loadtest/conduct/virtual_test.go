package conduct_test

import (
	"os"
	"os/exec"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/roost-rt/roost/loadtest/order"
)

// clientTCP is a variable of the environment that tells the tests of this package
// whose TCP their clients have: an order.TCP.
const clientTCP = "ROOST_TEST_CLIENT_TCP"

// TestVirtualClients runs other tests again with clients whose TCP is in user
// space, in a network namespace of their own: what a run finds, with servers good
// and bad, does not depend on how its clients are connected.
func TestVirtualClients(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes long with the race detector")
	}
	if os.Geteuid() != 0 {
		t.Skip("a network namespace and a TUN device need root, and this is not")
	}
	t.Parallel()
	for _, tcp := range []order.TCP{order.TUN, order.BPF} {
		t.Run(string(tcp), func(t *testing.T) { // one after the other: each has servers and clients in one process
			c := exec.CommandContext(t.Context(), os.Args[0], "-test.parallel=3", "-test.run=^Test(RunCatchesEachFault|RunCatchesOneInAThousand|Burst|Slow)$")
			c.Env = append(os.Environ(), clientTCP+"="+string(tcp))
			c.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
			if out, err := c.CombinedOutput(); err != nil {
				t.Errorf("%v:\n%s", err, out)
			}
		})
	}
}

// loopbackUp switches lo on, which is off in a new namespace.
func loopbackUp() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	lo, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	lo.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	return unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, lo)
}
