package main_test

import (
	"encoding/xml"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// freePort is one that nobody listens at.
func freePort(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}

// A run can be scraped while it goes on, and a pipeline has its verdict.
func TestMetricsAndJUnit(t *testing.T) {
	t.Parallel()
	addr := freePort(t)
	c, out := start(t, "-quiet", "-clients", "20", "-messages", "100", "-rate", "20", "-metrics", addr, "-junit", "junit.xml", "-slo", "lost=0,p99<1h", "-json", "x")
	text := ""
	waitFor(t, "receipts", func() bool {
		answer, err := http.Get("http://" + addr + "/metrics")
		if err != nil {
			return false // it does not listen yet
		}
		defer answer.Body.Close()
		body, _ := io.ReadAll(answer.Body)
		text = string(body)
		return strings.Contains(text, `loadtest_phase{phase="broadcast"} 1`) && !strings.Contains(text, "loadtest_receipts_total 0\n")
	})
	if !strings.Contains(text, "loadtest_clients_joined 20\n") {
		t.Errorf("scraped:\n%s", text)
	}
	if code := exitCode(t, c.Wait()); code != 0 {
		t.Fatalf("exit code %d, want 0:\n%s", code, out)
	}
	if said := out.String(); !strings.HasPrefix(said, "Load test of ") || strings.Contains(said, "metrics: ") || !strings.Contains(said, "All delivered") {
		t.Errorf("-quiet says\n%s\nwant the report alone", said)
	}
	var suite struct {
		Tests    int `xml:"tests,attr"`
		Failures int `xml:"failures,attr"`
	}
	junit, err := os.ReadFile(filepath.Join(c.Dir, "junit.xml"))
	if err == nil {
		err = xml.Unmarshal(junit, &suite)
	}
	if err != nil || suite.Tests < 10 || suite.Failures != 0 {
		t.Errorf("junit.xml: %v, %+v, want ten cases or more that pass", err, suite)
	}
}

// A run is sent to a receiver of OTLP, to its last state, and one that fails meanwhile
// is a line and nothing else.
func TestOTLP(t *testing.T) {
	t.Parallel()
	for _, breaks := range []bool{false, true} {
		var mu sync.Mutex
		var bodies []string
		receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body) // what is missing is not found
			mu.Lock()
			bodies = append(bodies, r.Header.Get("Authorization")+" "+string(body))
			failed := breaks && len(bodies) > 1
			mu.Unlock()
			if failed {
				http.Error(w, "full", http.StatusServiceUnavailable)
			}
		}))
		defer receiver.Close()
		c := exec.Command(program, "-quiet", "-clients", "20", "-messages", "5", "-rate", "20", "-otlp", receiver.URL, "-json", "x")
		c.Env, c.Dir = append(os.Environ(), "OTEL_EXPORTER_OTLP_HEADERS=Authorization=Bearer%20abc"), t.TempDir()
		out, err := c.CombinedOutput()
		if code := exitCode(t, err); code != 0 || !strings.Contains(string(out), "All delivered: 100 messages") {
			t.Errorf("exit code %d, want 0:\n%s", code, out)
		}
		if told := strings.Contains(string(out), `messages did not arrive, the first: HTTP 503: "full\n"`); told != breaks {
			t.Errorf("breaks %v: the output is\n%s", breaks, out)
		}
		mu.Lock()
		last := bodies[len(bodies)-1]
		mu.Unlock()
		for _, want := range []string{"Bearer abc ", `"name":"loadtest_receipts_total"`, `"asDouble":100`} {
			if !strings.Contains(last, want) {
				t.Errorf("the last of %d messages has no %s:\n%s", len(bodies), want, last)
			}
		}
	}
}

// What cannot be served or written ends the run before it begins.
func TestMetricsAndJUnitErrors(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	for args, want := range map[string]string{
		fmt.Sprintf("-metrics %s", ln.Addr()): "address already in use",
		"-otlp http://127.0.0.1:1":            "otlp: dial tcp 127.0.0.1:1: connect: connection refused",
		"-otlp 127.0.0.1:4318":                "otlp: want http://HOST:PORT",
		"-junit /dev/null/x":                  "not a directory",
	} {
		c, out := start(t, append(strings.Fields(args), "-clients", "2", "-json", "x")...)
		if code := exitCode(t, c.Wait()); code != 1 || !strings.Contains(out.String(), want) {
			t.Errorf("%s: exit code %d, want 1 with %q:\n%s", args, code, want, out)
		}
	}
}
