package record_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/roost-rt/roost/loadtest/record"
)

// A run that is killed leaves whole lines up to its last tick.
func TestTicksAreFlushed(t *testing.T) {
	var file bytes.Buffer
	w := record.NewWriter(bufio.NewWriter(&file))
	for _, r := range []record.Record{{Note: &record.Note{}}, {Tick: &record.Tick{AtMs: 1}}, {Note: &record.Note{}}} {
		if err := w.Write(r); err != nil {
			t.Fatal(err)
		}
	}
	if got := strings.Count(file.String(), "\n"); got != 2 || !strings.HasSuffix(file.String(), "\n") {
		t.Errorf("after a tick the file is %q, want two whole lines", file.String())
	}
}

func TestReadTakesWhatWasCutOff(t *testing.T) {
	const tick = `{"tick":{"at_ms":7}}`
	for _, test := range []struct {
		name, file string
		ticks      int
		fails      bool
	}{
		{"nothing", "", 0, false},
		{"whole", tick + "\n" + tick + "\n", 2, false},
		{"without its last newline", tick + "\n" + tick, 2, false},
		{"cut off", tick + "\n" + tick[:9], 1, false},
		{"cut off at once", tick[:9], 0, false},
		{"broken in the middle", tick[:9] + "\n" + tick + "\n", 0, true},
		{"broken at the end", tick + "\n" + tick[:9] + "\n", 1, true},
		{"whole, but no record", `{"tick":7}`, 0, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			ticks := 0
			err := record.Read(strings.NewReader(test.file), func(record.Record) error {
				ticks++
				return nil
			})
			if ticks != test.ticks || (err != nil) != test.fails {
				t.Errorf("Read(%q) = %d records, %v, want %d, an error: %v", test.file, ticks, err, test.ticks, test.fails)
			}
		})
	}
}

// Files that were compressed one by one and put one after another are one file.
func TestReadDecompresses(t *testing.T) {
	const tick = `{"tick":{"at_ms":7}}` + "\n"
	one := compressed(t, tick)
	for _, test := range []struct {
		name, file string
		ticks      int
		want       error
	}{
		{"one", one, 1, nil},
		{"nothing", compressed(t, ""), 0, nil},
		{"two", one + compressed(t, tick+tick), 3, nil},
		{"cut off", one[:len(one)-1], 1, io.ErrUnexpectedEOF},
		{"cut off in its head", one[:5], 0, io.ErrUnexpectedEOF},
		{"damaged", one[:len(one)-8] + "12345678", 1, gzip.ErrChecksum},
	} {
		ticks := 0
		err := record.Read(strings.NewReader(test.file), func(record.Record) error {
			ticks++
			return nil
		})
		if ticks != test.ticks || !errors.Is(err, test.want) {
			t.Errorf("%s: Read = %d records, %v, want %d, %v", test.name, ticks, err, test.ticks, test.want)
		}
	}
}

func compressed(t *testing.T, text string) string {
	t.Helper()
	var file strings.Builder
	w := gzip.NewWriter(&file)
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return file.String()
}
