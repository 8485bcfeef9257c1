package record_test

import (
	"bufio"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/roost-rt/roost/loadtest/record"
)

// full takes so many bytes, and then no more.
type full struct{ room int }

var errFull = errors.New("no room")

func (f *full) Write(b []byte) (int, error) {
	if len(b) > f.room {
		return 0, errFull
	}
	f.room -= len(b)
	return len(b), nil
}

// A disk that is full is told at the record, or, behind a buffer, at the next tick.
func TestWriteToAFullDisk(t *testing.T) {
	t.Parallel()
	tick, note := record.Record{Tick: &record.Tick{AtMs: 1}}, record.Record{Note: &record.Note{Message: "hello"}}
	for _, test := range []struct {
		name    string
		w       io.Writer
		records []record.Record
		fails   int // which of them; -1 for none
	}{
		{"room for all", &full{1 << 20}, []record.Record{note, tick, note}, -1},
		{"no room", &full{0}, []record.Record{note}, 0},
		{"no room for the second", &full{80}, []record.Record{note, note}, 1},
		{"no room behind a buffer", bufio.NewWriter(&full{0}), []record.Record{note, note, tick}, 2},
		{"room behind a buffer", bufio.NewWriter(&full{1 << 20}), []record.Record{note, tick}, -1},
	} {
		w := record.NewWriter(test.w)
		failed := -1
		for i, r := range test.records {
			err := w.Write(r)
			if err == nil {
				continue
			}
			if failed = i; !errors.Is(err, errFull) || !strings.HasPrefix(err.Error(), "write record: ") {
				t.Errorf("%s: %v, want that there is no room", test.name, err)
			}
			break
		}
		if failed != test.fails {
			t.Errorf("%s: record %d fails, want %d", test.name, failed, test.fails)
		}
	}
}

// A record may be longer than a line that a Scanner takes by itself.
func TestReadOfALongLine(t *testing.T) {
	t.Parallel()
	want := strings.Repeat("x", 200_000)
	n := 0
	err := record.Read(strings.NewReader(`{"note":{"message":"`+want+`"}}`+"\n{}\n"), func(r record.Record) error {
		if n++; n == 1 && (r.Note == nil || r.Note.Message != want) {
			t.Errorf("a note of %d bytes is read otherwise", len(want))
		}
		return nil
	})
	if err != nil || n != 2 {
		t.Errorf("%d records, %v, want two", n, err)
	}
}

// Secrets are found by their names wherever text has them, and everything else stays.
func TestMaskedPlaces(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                                 "",
		"a=b":                              "a=b",
		"token=":                           "token=",
		"?token=a#b":                       "?token=[FILTERED]#b",
		"token=a;room=b":                   "token=[FILTERED];room=b",
		"Cookie":                           "Cookie",
		"authorization:Basic dXNlcjpwYXNz": "authorization: [FILTERED]",
		"X-Api-Key: k":                     "X-Api-Key: [FILTERED]",
		"Host: example.com":                "Host: example.com",
		"ws://a:b:c@h":                     "ws://a:[FILTERED]@h",
		"ws://a:p%40ss@h/p":                "ws://a:[FILTERED]@h/p",
		"ws://h:80/a@b":                    "ws://h:80/a@b",
		"two ws://a:b@h and wss://c:d@i":   "two ws://a:[FILTERED]@h and wss://c:[FILTERED]@i",
		`"token=a"`:                        `"token=[FILTERED]"`,
		"-param=password=a,b":              "-param=password=[FILTERED]",
		"lost=0,token=a,rate=2":            "lost=0,token=[FILTERED]",
		"with password=a,b, and more":      "with password=[FILTERED], and more",
		"--header=Authorization: a: b":     "--header=Authorization: [FILTERED]",
		"size=128 token=x rate=2":          "size=128 token=[FILTERED] rate=2",
	} {
		if got := record.Masked(text); got != want {
			t.Errorf("Masked(%q) = %q, want %q", text, got, want)
		}
	}
	var run record.Run
	if got := run.Masked(); got.Command != nil || got.Plan != nil || len(got.Config) != 0 {
		t.Errorf("nothing is masked as %+v", got)
	}
	run.Command = []string{"a", "-token", "-5", "-rate", "2", "token", "open", "-auth-token"}
	if got := strings.Join(run.Masked().Command, " "); got != "a -token [FILTERED] -rate 2 token open -auth-token" {
		t.Errorf("command %q, want the argument behind the flag hidden alone", got)
	}
	if run.Command[2] != "-5" {
		t.Error("the command itself was changed")
	}
}
