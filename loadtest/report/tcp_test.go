package report_test

import (
	"maps"
	"strings"
	"testing"

	"github.com/roost-rt/roost/loadtest/record"
	"github.com/roost-rt/roost/loadtest/report"
)

// ofTCP is the fixture with the clients' TCP somewhere; "" is an old record.
func ofTCP(t *testing.T, tcp string) *report.Result {
	t.Helper()
	records := fixture(t)
	for i, r := range records {
		if r.Run != nil && tcp != "" {
			run := *r.Run
			run.Config = maps.Clone(run.Config)
			run.Config["client_tcp"] = tcp
			records[i] = record.Record{Run: &run}
		}
	}
	return newResult(t, records)
}

// What a virtual link measures more and less truly is said beside the figures, in all
// reports.
func TestVirtualLinkIsSaid(t *testing.T) {
	t.Parallel()
	for tcp, want := range map[string]string{
		"": "", "kernel": "",
		"tun": "as soon as the process has read the packet",
		"bpf": "not that a process read it",
	} {
		r := ofTCP(t, tcp)
		if s := r.Summary; s.ClientTCP != tcp || (s.ClientTCPSays == "") != (want == "") || !strings.Contains(s.ClientTCPSays, want) {
			t.Errorf("summary says %q of %q, want %q", s.ClientTCPSays, s.ClientTCP, want)
		}
		var text, page, json strings.Builder
		for _, err := range []error{r.WriteText(&text), r.WriteHTML(&page), r.WriteJSON(&json)} {
			if err != nil {
				t.Fatal(err)
			}
		}
		for kind, out := range map[string]string{"text": text.String(), "page": page.String(), "JSON": json.String()} {
			out = strings.Join(strings.Fields(out), " ")
			if want != "" && !strings.Contains(out, want) {
				t.Errorf("the %s of %q lacks %q", kind, tcp, want)
			}
			if says := "More realistic than loopback"; want == "" && strings.Contains(out, says) {
				t.Errorf("the %s of %q has %q", kind, tcp, says)
			}
		}
	}
}

// Clients of a server elsewhere have a network between them.
func TestForwardedLinkIsSaid(t *testing.T) {
	t.Parallel()
	records := fixture(t)
	for _, r := range records {
		if r.Run != nil {
			r.Run.Config["client_tcp"], r.Run.Config["url"] = "tun", "ws://192.0.2.1:4000"
		}
	}
	says := newResult(t, records).Summary.ClientTCPSays
	if !strings.Contains(says, "their machines forwarded its packets") || strings.Contains(says, "loopback") {
		t.Errorf("the report says %q", says)
	}
}

// How many receipts a program took is told where it was counted.
func TestTakenIsSaid(t *testing.T) {
	t.Parallel()
	records := fixture(t)
	for _, r := range records {
		if r.Run != nil {
			r.Run.Config["client_tcp"] = "bpf"
		}
	}
	end(t, records).Taken = 199_990
	const want = "199,990 of 200,000 receipts come from a program in the kernel"
	if r := newResult(t, records); r.Summary.Taken != 199_990 || !strings.Contains(r.Summary.ClientTCPSays, want) {
		t.Errorf("%d were taken: %q, want %q", r.Summary.Taken, r.Summary.ClientTCPSays, want)
	}
}

// A server's figures are not compared with those of clients whose TCP is elsewhere.
func TestCompareWantsOneTCP(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		a, b, want string
	}{
		{"kernel", "kernel", ""}, {"", "kernel", ""}, {"bpf", "bpf", ""},
		{"", "bpf", "TCP is kernel and bpf"}, {"tun", "bpf", "TCP is tun and bpf"},
	} {
		_, err := report.Compare(0, report.Side{Name: "a", Runs: []*report.Result{ofTCP(t, test.a)}}, report.Side{Name: "b", Runs: []*report.Result{ofTCP(t, test.b)}})
		switch {
		case test.want == "" && err != nil:
			t.Errorf("%q with %q: %v", test.a, test.b, err)
		case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
			t.Errorf("%q with %q: %v, want %s", test.a, test.b, err, test.want)
		}
	}
}
