package conduct_test

import (
	"slices"
	"testing"
	"time"
)

// Others write for who is cut off. If nobody is left, what is not sent is an
// error of the client's, and no loss of the server's.
func TestRunOutlivesItsWriter(t *testing.T) {
	t.Parallel()
	const sent, last = 10, 3 // messages, and the one after which connections end
	for _, test := range []struct {
		name   string
		cutOff func(f *fake)
		want   account
		errors map[string]int64
	}{
		{"the writer is cut off", func(f *fake) { f.cutOff(f.writer) },
			account{clients, sent * clients, sent*clients - (sent - last), sent - last, 0, 0},
			map[string]int64{"connection closed by the server": 1}},
		{"all are cut off", func(f *fake) {
			for _, m := range slices.Clone(f.members) {
				f.cutOff(m)
			}
		}, account{clients, last * clients, last * clients, 0, 0, 0},
			map[string]int64{"connection closed by the server": clients, "no client left to write": sent - last}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			f := &fake{}
			receipts := 0
			f.deliver = func(_, seq int, send func()) {
				send()
				if receipts++; receipts == last*clients {
					// Once all have it: what is sent before a reset is not always read.
					time.AfterFunc(50*time.Millisecond, func() {
						f.mu.Lock()
						defer f.mu.Unlock()
						test.cutOff(f)
					})
				}
			}
			cfg := config(f.start(t))
			cfg.Messages, cfg.Rate = sent, 2.5 // far enough apart for the cut to come between two
			end, _, err := run(t, t.Context(), cfg)
			if err != nil {
				t.Fatalf("Run() = %v", err)
			}
			if got := accountOf(end); got != test.want {
				t.Errorf("account %+v, want %+v", got, test.want)
			}
			for kind, n := range test.errors {
				if end.Errors[kind] != n {
					t.Errorf("errors %v, want %v", end.Errors, test.errors)
				}
			}
		})
	}
}
