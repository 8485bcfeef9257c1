package fast_test

import (
	"bytes"
	"encoding/binary"
	"io"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"unsafe"

	"github.com/roost-rt/roost/loadtest/vtcp"
	"github.com/roost-rt/roost/loadtest/vtcp/fast"
)

// oracleClients is how many clients the oracle has.
const oracleClients = 3 << 15

// An oracle is the program, built for user space: testdata/oracle.c.
type oracle struct {
	t   *testing.T
	in  io.Writer
	out io.Reader
}

func startOracle(t *testing.T) *oracle {
	t.Helper()
	program := filepath.Join(t.TempDir(), "oracle")
	build := exec.Command("cc", "-O1", "-Wall", "-Wextra", "-Werror", "-fsanitize=undefined", "-fsanitize-undefined-trap-on-error",
		"testdata/oracle.c", "-o", program)
	if b, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v: want a C compiler and the kernel's headers (apt-get install build-essential)\n%s", build, err, b)
	}
	c := exec.Command(program)
	in, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		if err := c.Wait(); err != nil {
			t.Errorf("oracle: %v", err)
		}
	})
	return &oracle{t, in, out}
}

// ask sends a request: its letter, and numbers and bytes as the machine has them.
func (o *oracle) ask(request byte, parts ...any) {
	o.t.Helper()
	var b bytes.Buffer
	b.WriteByte(request)
	for _, p := range parts {
		if err := binary.Write(&b, binary.NativeEndian, p); err != nil {
			o.t.Fatal(err)
		}
	}
	if _, err := o.in.Write(b.Bytes()); err != nil {
		o.t.Fatalf("oracle: %v", err)
	}
}

func (o *oracle) read(to any) {
	o.t.Helper()
	if err := binary.Read(o.out, binary.NativeEndian, to); err != nil {
		o.t.Fatalf("oracle: %v", err)
	}
}

func (o *oracle) number() (n uint32) {
	o.t.Helper()
	o.read(&n)
	return n
}

func (o *oracle) bytes() []byte {
	o.t.Helper()
	b := make([]byte, o.number())
	o.read(b)
	return b
}

// run is what Path.Run is, at a time.
func (o *oracle) run(now int64, packet []byte) (verdict uint32, out []byte) {
	o.ask('p', now, uint32(len(packet)), packet)
	return o.number(), o.bytes()
}

func (o *oracle) set(client int, r vtcp.Record) {
	o.ask('R', uint32(client), *(*[unsafe.Sizeof(r)]byte)(unsafe.Pointer(&r)))
}

func (o *oracle) record(client int) (r vtcp.Record) {
	o.ask('r', uint32(client))
	o.read((*[unsafe.Sizeof(r)]byte)(unsafe.Pointer(&r)))
	return r
}

// received is how many receipts there are of the message in a slot, and in which
// buckets.
func (o *oracle) received(slot int) (n uint64, latency []uint32) {
	c := struct {
		Received, First, Last uint64
		Latency               [5888]uint32
	}{}
	o.ask('c', uint32(slot))
	o.read(&c)
	return c.Received, c.Latency[:]
}

// TestLayout compares what Go and C say of the memory that they share.
func TestLayout(t *testing.T) {
	o := startOracle(t)
	o.ask('l')
	c := make([]uint32, o.number())
	o.read(c)
	if want := fast.Layout(); !slices.Equal(c, want) {
		t.Errorf("layout in C: %v\nin Go:       %v", c, want)
	}
}

// TestBuckets compares the scale of latencies in C with that in Go, and both with
// what they promise.
func TestBuckets(t *testing.T) {
	o := startOracle(t)
	var values []int64
	for v := range int64(1100) {
		values = append(values, v)
	}
	for v := int64(1024); v < 1<<31; v += v / 40 {
		values = append(values, v)
	}
	for shift := range 31 {
		values = append(values, 1<<shift-1, 1<<shift, 1<<shift+1)
	}
	for _, v := range values {
		o.ask('b', uint32(v))
		b := int(o.number())
		if want := fast.Bucket(v); b != want {
			t.Fatalf("bucket of %d µs: %d in C, %d in Go", v, b, want)
		}
		if off := fast.Latency(b) - v; v < 1<<30 && max(off, -off) > v/500 {
			t.Fatalf("bucket %d for %d µs means %d µs: more than 0.2 %% off", b, v, fast.Latency(b))
		}
	}
}
