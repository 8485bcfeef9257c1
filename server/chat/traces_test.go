package chat_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/roost-rt/roost/server/chat"
	"github.com/roost-rt/roost/server/phx"
)

// A tracer keeps what it is told.
type tracer struct {
	saw  chan phx.BroadcastEvent
	shut bool
}

func (tr *tracer) Telemetry() *phx.Telemetry {
	return &phx.Telemetry{Broadcast: func(b phx.BroadcastEvent) { tr.saw <- b }}
}

func (tr *tracer) Handler(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), tr, r.Header.Get("Traceparent"))))
	})
}

func (tr *tracer) Shutdown(context.Context) error {
	tr.shut = true
	return errors.New("as told")
}

// What other programs broadcast belongs to the trace of their request, and is told beside
// what operators count.
func TestTraces(t *testing.T) {
	const token = "0123456789abcdef"
	t.Setenv("ROOST_API_TOKEN", token)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318")
	tr := &tracer{saw: make(chan phx.BroadcastEvent, 1)}
	program := chat.Program{Board: withBoard.Board, Traces: func(url string, ratio float64, _ *slog.Logger) (chat.Tracer, error) {
		if url != "" || ratio != 0.5 {
			t.Errorf("starts with %q, %v", url, ratio)
		}
		return tr, nil
	}}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	outR, stdout := io.Pipe()
	var stderr strings.Builder
	code, api := make(chan int), freeAddr(t)
	go func() { // the test waits for it
		code <- program.Main(ctx, strings.Fields("-addr 127.0.0.1:0 -admin 127.0.0.1:0 -trace-ratio 0.5 -api "+api), stdout, &stderr)
	}()
	if _, err := bufio.NewReader(outR).ReadString('\n'); err != nil { // it listens
		t.Fatal(err)
	}
	r, err := http.NewRequest("POST", "http://"+api+"/v1/broadcast", strings.NewReader(`{"topic":"room:1","event":"news"}`))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("Traceparent", "theirs")
	r.Close = true
	answer, err := http.DefaultClient.Do(r)
	if err != nil || answer.StatusCode != 204 {
		t.Fatalf("broadcast: %v, %v", answer, err)
	}
	answer.Body.Close()
	if b := <-tr.saw; b.Topic != "room:1" || b.Context.Value(tr) != "theirs" {
		t.Errorf("the tracer saw %+v", b)
	}
	stop()
	if got := <-code; got != 0 || !tr.shut || !strings.Contains(stderr.String(), "as told") {
		t.Errorf("exit code %d, Shutdown %t, and the log %s", got, tr.shut, &stderr)
	}
}

func TestTracesThatCannotBe(t *testing.T) {
	for args, want := range map[string]string{
		"-otlp-traces 127.0.0.1:4318": "-otlp-traces: want http://HOST:PORT",
		"-trace-ratio 2":              "-trace-ratio is 2: want 0 to 1",
		"-trace-ratio NaN":            "-trace-ratio is NaN: want 0 to 1",
		"-addr 127.0.0.1:0 -otlp-traces http://key@127.0.0.1:99": "-otlp-traces: this program has no tracing",
	} {
		var stderr strings.Builder
		if code := chat.Main(t.Context(), strings.Fields(args), io.Discard, &stderr); code == 0 || !strings.Contains(stderr.String(), want) {
			t.Errorf("%s: exit code %d, %s, want %q", args, code, &stderr, want)
		}
	}
}
