package user

import (
	"crypto/tls"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/roost-rt/roost/loadtest/order"
	"github.com/roost-rt/roost/loadtest/script"
)

// A user goes on with the session of another one if the file says so, and only then.
func TestResumption(t *testing.T) {
	t.Parallel()
	server := httptest.NewTLSServer(http.NotFoundHandler())
	defer server.Close()
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	for _, resume := range []string{"false", "true"} {
		text := "target: {url: " + strings.Replace(server.URL, "http", "ws", 1) + ", tls: {ca: ca.pem, resume: " + resume + "}}\ntopics: [{topic: a}]\n"
		src, s, err := script.Load("app.yaml", func(name string) ([]byte, error) {
			return map[string][]byte{"app.yaml": []byte(text), "ca.pem": ca}[name], nil
		}, func(string) (string, bool) { return "", false })
		if err != nil {
			t.Fatal(err)
		}
		to, err := resolve(t.Context(), s, order.Orders{Script: &src})
		if err != nil {
			t.Fatal(err)
		}
		var told []bool
		to.shook = func(resumed bool) { told = append(told, resumed) }
		for n := range 2 {
			conn, err := to.dial(t.Context(), n+1)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := conn.Write([]byte("GET / HTTP/1.0\r\n\r\n")); err != nil {
				t.Fatal(err)
			}
			if _, err := conn.Read(make([]byte, 1)); err != nil { // the ticket comes before the answer
				t.Fatal(err)
			}
			if got, want := conn.(*tls.Conn).ConnectionState().DidResume, resume == "true" && n == 1; got != want {
				t.Errorf("resume: %s: user %d resumed: %v, want %v", resume, n+1, got, want)
			}
			conn.Close()
		}
		if len(told) != 2 || told[0] || told[1] != (resume == "true") {
			t.Errorf("resume: %s: told %v", resume, told)
		}
	}
}
