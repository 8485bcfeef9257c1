package poller

import (
	"cmp"
	"errors"
	"io"
	"reflect"
	"runtime"
	"sync"
	"syscall"
	"time"
	"unsafe"

	"github.com/cloudwego/netpoll"
	"golang.org/x/sys/unix"
)

// netpollLoops returns netpoll's event loops, one a processor, the same ones
// for the life of the process: netpoll has a single set of them.
var netpollLoops = sync.OnceValues(func() ([]*set, error) {
	n := runtime.GOMAXPROCS(0)
	if err := netpoll.Configure(netpoll.Config{PollerNum: n, LoggerOutput: io.Discard}); err != nil {
		return nil, err
	}
	var sets []*set
	for len(sets) < n { // netpoll hands its loops out in turn
		s, err := borrowPoll()
		if err != nil {
			return nil, err
		}
		for _, known := range sets {
			if known.poll == s.poll {
				return nil, errors.New("netpoll gave the same loop twice: was it used before in this process?")
			}
		}
		sets = append(sets, s)
	}
	return sets, nil
})

// borrowPoll reaches one of netpoll's event loops. No exported function
// returns one, but every callback of an FDOperator gets it, and a Connection
// has an FDOperator in a field: set its OnRead, send a byte, and take the Poll
// from the call. The version of netpoll is pinned, and the types are checked.
func borrowPoll() (*set, error) {
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
		set *set
		err error
	}
	got := make(chan answer, 1)
	var once sync.Once
	op := (*netpoll.FDOperator)(field.UnsafePointer())
	op.OnRead = func(p netpoll.Poll) error {
		var b [8]byte
		_, err := syscall.Read(near, b[:])
		once.Do(func() {
			s, fault := adopt(p)
			got <- answer{s, cmp.Or(err, fault)}
		})
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
		return a.set, a.err
	case <-time.After(10 * time.Second):
		return nil, errors.New("netpoll's event loop does not answer")
	}
}

// adopt has a loop of netpoll's show its events to a set first: it calls its handler
// through a field. It runs on the loop.
func adopt(p netpoll.Poll) (*set, error) {
	v := reflect.ValueOf(p).Elem()
	fd, handler, reset := v.FieldByName("fd"), v.FieldByName("Handler"), v.FieldByName("Reset")
	if fd.Kind() != reflect.Int || !handlesEvents(handler) || !reset.IsValid() || reset.Type() != reflect.TypeFor[func(size, caps int)]() {
		return nil, errors.New("this version of netpoll has other event loops")
	}
	if state, ok := reflect.TypeFor[netpoll.FDOperator]().FieldByName("state"); !ok || state.Type.Kind() != reflect.Int32 {
		return nil, errors.New("this version of netpoll has other operators")
	}
	handle := (*func([]unix.EpollEvent) bool)(handler.Addr().UnsafePointer())
	s := &set{poll: p, fd: int(fd.Int()), handle: *handle, conns: make([]*Conn, 1)}
	*handle = s.serve
	// It would make room for more events whenever a pass has as many as fit, up to 128
	// Ki, of 1.4 KB each.
	reset.Set(reflect.ValueOf(func(size, caps int) {}))
	return s, nil
}

// handlesEvents reports whether a field holds what set.serve may take the place of.
func handlesEvents(field reflect.Value) bool {
	if field.Kind() != reflect.Func {
		return false
	}
	t := field.Type()
	return t.NumIn() == 1 && t.In(0).Kind() == reflect.Slice && t.In(0).Elem().Size() == unsafe.Sizeof(unix.EpollEvent{}) &&
		t.NumOut() == 1 && t.Out(0).Kind() == reflect.Bool
}

// stateOf tells what an operator does: 1 is nothing, 2 is to call OnRead, when it is
// not called again, nor freed.
func stateOf(op *netpoll.FDOperator) *int32 {
	return (*int32)(reflect.ValueOf(op).Elem().FieldByName("state").Addr().UnsafePointer())
}
