package chat_test

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/roost-rt/roost/server/chat"
)

// With -pprof, the program serves its profiles where it says, and nowhere else.
func TestMainServesProfiles(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	outR, stdout := io.Pipe()
	errR, stderr := io.Pipe()
	code := make(chan int, 1)
	go func() { // the test waits for it
		code <- chat.Main(ctx, []string{"-addr", "127.0.0.1:0", "-pprof", "127.0.0.1:0"}, stdout, stderr)
		stderr.Close()
	}()
	logged := bufio.NewReader(errR)
	line, err := logged.ReadString('\n')
	url := regexp.MustCompile(`http://\S+/debug/pprof/`).FindString(line)
	if err != nil || url == "" {
		t.Fatalf("the server logs %q, %v; want the URL of the profiles", line, err)
	}
	logs := make(chan struct{})
	go func() { // ends when Main has
		defer close(logs)
		io.Copy(io.Discard, logged)
	}()
	line, err = bufio.NewReader(outR).ReadString('\n')
	page, ok := strings.CutPrefix(strings.TrimSpace(line), "listening on ")
	if err != nil || !ok {
		t.Fatalf("the server says %q, %v; want listening on HOST:PORT", line, err)
	}

	const gzip, goTrace = "\x1f\x8b", "go 1."
	for _, tt := range []struct {
		url, want string // how the body begins
		status    int
	}{
		{url, "profile?seconds=30\n", 200},
		{url + "heap?gc=1", gzip, 200},
		{url + "goroutine?debug=1", "goroutine profile: total ", 200},
		{url + "profile?seconds=1", gzip, 200},
		{url + "trace?seconds=1", goTrace, 200},
		{url + "nonsense", "404", 404},
		{"http://" + page + "/debug/pprof/", "404", 404},
	} {
		answer, err := http.Get(tt.url)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(answer.Body)
		answer.Body.Close()
		if err != nil || answer.StatusCode != tt.status || !strings.HasPrefix(string(body), tt.want) {
			t.Errorf("GET %s: status %d, %.40q, %v; want %d and %q at the beginning", tt.url, answer.StatusCode, body, err, tt.status, tt.want)
		}
	}
	ask, err := http.NewRequest("GET", url, nil)
	if err != nil {
		t.Fatal(err)
	}
	ask.Host = "evil.example" // by a page in a browser here (DNS rebinding)
	answer, err := http.DefaultClient.Do(ask)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if answer.StatusCode != http.StatusMisdirectedRequest {
		t.Errorf("profiles for another host: status %d, want 421", answer.StatusCode)
	}
	http.DefaultClient.CloseIdleConnections()

	cancel()
	if got := <-code; got != 0 {
		t.Errorf("Main = %d, want 0", got)
	}
	<-logs
}

func TestMainCannotServeProfiles(t *testing.T) {
	var stderr strings.Builder
	if got := chat.Main(context.Background(), []string{"-addr", "127.0.0.1:0", "-pprof", "6060"}, io.Discard, &stderr); got != 2 {
		t.Errorf("Main = %d, want 2", got)
	}
	if !strings.Contains(stderr.String(), "-pprof") {
		t.Errorf("it says %q, want what is wrong with -pprof", stderr.String())
	}
}
