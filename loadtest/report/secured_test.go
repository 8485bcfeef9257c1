package report_test

import (
	"strings"
	"testing"

	"github.com/roost-rt/roost/loadtest/record"
	"github.com/roost-rt/roost/loadtest/report"
)

// TLS handshakes are counted in every form of the report, where there were any.
func TestReportOfTLS(t *testing.T) {
	for _, test := range []struct {
		end  record.End
		want bool
	}{
		{record.End{Clients: 1200, Joined: 1200, Secured: 1234, Resumed: 1111}, true},
		{record.End{Clients: 1200, Joined: 1200}, false},
	} {
		r, err := report.New([]record.Record{{End: &test.end}})
		if err != nil {
			t.Fatal(err)
		}
		var text, page, json strings.Builder
		if err := r.WriteText(&text); err != nil {
			t.Fatal(err)
		}
		if err := r.WriteHTML(&page); err != nil {
			t.Fatal(err)
		}
		if err := r.WriteJSON(&json); err != nil {
			t.Fatal(err)
		}
		for form, got := range map[string]string{"text": text.String(), "page": page.String()} {
			if strings.Contains(got, "handshakes") != test.want || strings.Contains(got, "1,234") != test.want || strings.Contains(got, "1,111") != test.want {
				t.Errorf("%s of %d handshakes:\n%s", form, test.end.Secured, got)
			}
		}
		if strings.Contains(json.String(), `"handshakes": 1234`) != test.want {
			t.Errorf("JSON of %d handshakes:\n%s", test.end.Secured, json.String())
		}
	}
}
