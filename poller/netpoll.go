package poller

import (
	"errors"
	"io"
	"reflect"
	"runtime"
	"sync"
	"syscall"
	"time"

	"github.com/cloudwego/netpoll"
)

// netpollLoops returns netpoll's event loops, one a processor, the same ones
// for the life of the process: netpoll has a single set of them.
var netpollLoops = sync.OnceValues(func() ([]netpoll.Poll, error) {
	n := runtime.GOMAXPROCS(0)
	if err := netpoll.Configure(netpoll.Config{PollerNum: n, LoggerOutput: io.Discard}); err != nil {
		return nil, err
	}
	var polls []netpoll.Poll
	for len(polls) < n { // netpoll hands its loops out in turn
		poll, err := borrowPoll()
		if err != nil {
			return nil, err
		}
		for _, known := range polls {
			if known == poll {
				return nil, errors.New("netpoll gave the same loop twice: was it used before in this process?")
			}
		}
		polls = append(polls, poll)
	}
	return polls, nil
})

// borrowPoll reaches one of netpoll's event loops. No exported function
// returns one, but every callback of an FDOperator gets it, and a Connection
// has an FDOperator in a field: set its OnRead, send a byte, and take the Poll
// from the call. The version of netpoll is pinned, and the types are checked.
func borrowPoll() (netpoll.Poll, error) {
	near, far := netpoll.GetSysFdPairs() // does not report its error
	if near == far {
		return nil, errors.New("no socket pair: out of file descriptors?")
	}
	defer syscall.Close(far)
	conn, err := netpoll.NewFDConnection(near)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	field := reflect.ValueOf(conn).Elem().FieldByName("operator")
	if !field.IsValid() || field.Type() != reflect.TypeFor[*netpoll.FDOperator]() {
		return nil, errors.New("this version of netpoll keeps its operators elsewhere")
	}
	type answer struct {
		poll netpoll.Poll
		err  error
	}
	got := make(chan answer, 1)
	var once sync.Once
	op := (*netpoll.FDOperator)(field.UnsafePointer())
	op.OnRead = func(p netpoll.Poll) error {
		var b [8]byte
		_, err := syscall.Read(near, b[:])
		once.Do(func() { got <- answer{p, err} })
		return nil
	}
	if err := conn.Reader().Release(); err != nil { // its atomics publish OnRead to the loop
		return nil, err
	}
	if _, err := syscall.Write(far, []byte{1}); err != nil {
		return nil, err
	}
	select {
	case a := <-got:
		return a.poll, a.err
	case <-time.After(10 * time.Second):
		return nil, errors.New("netpoll's event loop does not answer")
	}
}
