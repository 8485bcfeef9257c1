package conduct_test

import (
	"maps"
	"slices"
	"testing"
)

// Others write for who is cut off. If nobody is left, what is not sent is an
// error of the client's, and no loss of the server's.
func TestRunOutlivesItsWriter(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		cutOff func(f *fake)
		want   account
		errors map[string]int64
	}{
		{"the writer is cut off", func(f *fake) { f.cutOff(f.writer) },
			account{clients, 2 * clients, 2*clients - 1, 1, 0, 0},
			map[string]int64{"connection closed by the server": 1}},
		{"all are cut off", func(f *fake) {
			for _, m := range slices.Clone(f.members) {
				f.cutOff(m)
			}
		}, account{clients, clients, clients, 0, 0, 0},
			map[string]int64{"connection closed by the server": clients, "no client left to write": 1}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			f := &fake{}
			receipts := 0
			f.deliver = func(_, _ int, send func()) {
				send()
				if receipts++; receipts == clients {
					test.cutOff(f)
				}
			}
			cfg := config(f.start(t))
			cfg.Messages, cfg.Rate = 2, 1/stands.Seconds() // far enough apart for the end to be seen between them
			end, _, err := run(t, t.Context(), cfg)
			if err != nil {
				t.Fatalf("Run() = %v", err)
			}
			if got := accountOf(end); got != test.want || !maps.Equal(end.Errors, test.errors) {
				t.Errorf("account %+v, errors %v, want %+v, %v", got, end.Errors, test.want, test.errors)
			}
		})
	}
}
