package poller

import (
	"fmt"
	"os"
	"time"

	"github.com/cloudwego/netpoll"
	"golang.org/x/sys/unix"
)

// A timerFD is the alarm of a loop: a timer of the kernel's (timerfd_create(2)), so
// that it wakes no thread but the loop's.
type timerFD struct {
	op    *netpoll.FDOperator
	fd    int
	start time.Time
}

// newTimerFD makes one that calls ring on the loop, once it is watched.
func newTimerFD(s *set, ring func()) (*timerFD, error) {
	fd, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("timerfd_create", err)
	}
	t := &timerFD{op: s.poll.Alloc(), fd: fd, start: time.Now()}
	t.op.FD = fd
	s.watch(t.op, ring) // which sets it, and so makes it unreadable
	return t, nil
}

func (t *timerFD) elapsed() time.Duration { return time.Since(t.start) }

func (t *timerFD) set(in time.Duration) {
	spec := unix.ItimerSpec{Value: unix.NsecToTimespec(in.Nanoseconds())}
	if err := unix.TimerfdSettime(t.fd, 0, &spec, nil); err != nil {
		panic(fmt.Sprintf("timerfd_settime(%v): %v", in, err)) // only wrong arguments do this
	}
}

// close takes the alarm off its loop. Not on the loop.
func (t *timerFD) close() {
	_ = t.op.Control(netpoll.PollDetach)
	t.op.Free() // waits until the loop has left ring
	unix.Close(t.fd)
}
