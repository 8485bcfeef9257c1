package otlphttp_test

import (
	"context"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/roost-rt/roost/server/tracing/otlphttp"
)

func TestURL(t *testing.T) {
	for _, test := range []struct{ at, path, want string }{
		{"http://a:4318", "/v1/traces", "http://a:4318/v1/traces"},
		{"https://a/", "/v1/traces", "https://a/v1/traces"},
		{"http://a/here?b=c", "/v1/traces", "http://a/here?b=c"},
		{"http://a/", "", "http://a/"},
		{"a:4318", "/v1/traces", ""},
		{"https://a?key=a%20b", "/v1/traces", "https://a/v1/traces?key=a%20b"},
		{"http://[::1]:4318", "/v1/traces", "http://[::1]:4318/v1/traces"},
		{"", "/v1/traces", ""},
		{"127.0.0.1:4318", "/v1/traces", ""},
		{"ftp://a", "/v1/traces", ""},
		{"grpc://a:4317", "/v1/traces", ""},
		{"http:///v1/traces", "/v1/traces", ""},
		{"http://a:port", "/v1/traces", ""},
		{"http://", "/v1/traces", ""},
		{"http://%zz", "/v1/traces", ""},
	} {
		got, err := otlphttp.URL(test.at, test.path)
		if got != test.want || (err != nil) != (test.want == "") {
			t.Errorf("URL(%s, %s) = %s, %v, want %s", test.at, test.path, got, err, test.want)
		}
	}
}

// What is posted has the headers that were asked for.
func TestPost(t *testing.T) {
	var got http.Header
	to := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r.Header
		if r.URL.Path != "/" {
			http.Error(w, strings.Repeat("no", 1000), http.StatusTeapot)
		}
	}))
	defer to.Close()
	post := func(path string) error {
		r, err := otlphttp.New(to.URL+path, " a = b%20c ,, authorization=Bearer x=y")
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		_, err = r.Post(context.Background(), "application/json", []byte("{}"))
		return err
	}
	if err := post("/"); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"A": "b c", "Authorization": "Bearer x=y", "Content-Type": "application/json"} {
		if got.Get(name) != want {
			t.Errorf("header %s: %q, want %q", name, got.Get(name), want)
		}
	}
	if err := post("/secret"); err == nil || !strings.HasPrefix(err.Error(), `HTTP 418: "nono`) || len(err.Error()) > 300 {
		t.Errorf("an answer of 418: %v", err)
	}
	to.Close()
	if err := post("/secret"); err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("a receiver that is gone: %v", err)
	}
}

// Headers are as in OTEL_EXPORTER_OTLP_HEADERS: blanks around names and values do not
// count, and values are percent-encoded.
func TestHeaders(t *testing.T) {
	for list, want := range map[string]http.Header{
		"":                          {},
		" , ":                       {},
		"a=b,c=d":                   {"A": {"b"}, "C": {"d"}},
		" api-key = x y , c = d ,,": {"Api-Key": {"x y"}, "C": {"d"}},
		"a=b=c":                     {"A": {"b=c"}},
		"a=%2C%20%3D":               {"A": {", ="}},
		"a=1+2":                     {"A": {"1+2"}},
		"a=":                        {"A": {""}},
		"a=1,a=2":                   {"A": {"2"}},
	} {
		var got http.Header
		to := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = r.Header }))
		r, err := otlphttp.New(to.URL, list)
		if err != nil {
			t.Fatalf("headers %q: %v", list, err)
		}
		if _, err := r.Post(t.Context(), "application/json", nil); err != nil {
			t.Fatal(err)
		}
		r.Close()
		to.Close()
		for _, name := range []string{"Accept-Encoding", "Content-Length", "Content-Type", "User-Agent"} {
			got.Del(name)
		}
		if !maps.EqualFunc(got, want, slices.Equal) {
			t.Errorf("headers %q: sent %v, want %v", list, got, want)
		}
	}
}

// An error about headers shows none of them.
func TestHeadersThatAreNone(t *testing.T) {
	for _, list := range []string{"secret", "a=b,secret", "=secret", "a=%zzsecret"} {
		if _, err := otlphttp.New("http://a", list); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("headers %q: error %v", list, err)
		}
	}
}
