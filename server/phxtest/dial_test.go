package phxtest_test

import (
	"encoding/json"
	"io"
	"net/http"
	"reflect"
	"testing"

	"github.com/roost-rt/roost/server/phx"
	"github.com/roost-rt/roost/server/phxtest"
)

// What a client sends is what Connect gets.
func TestDialer(t *testing.T) {
	type seen struct {
		Params             phx.Params
		Token, Host, Agent string
	}
	var got seen
	ep := phxtest.Start(t, phx.Config{Mounts: []phx.Mount{{
		Path: "/socket/:org",
		Connect: func(_ *phx.Socket, params phx.Params, r *http.Request) error {
			token, _ := phx.AuthToken(r)
			got = seen{params, token, r.Host, r.UserAgent()}
			return nil
		},
		AuthToken:    true,
		Subprotocols: []string{"chat.2", "chat.1"},
	}}})
	tests := []struct {
		name        string
		dialer      phxtest.Dialer
		params      phx.Params
		want        seen
		subprotocol string
	}{
		{
			name:   "params",
			params: phx.Params{"a": "ä&b=", "n": 1, "deep": map[string]any{"er": phx.Params{"x": "y"}}, "list": []any{"p", "q"}, "none": nil},
			want: seen{Params: phx.Params{
				"a": "ä&b=", "n": "1", "deep": map[string]any{"er": map[string]any{"x": "y"}}, "list": map[string]any{"0": "p", "1": "q"},
				"org": "roost", "vsn": "2.0.0",
			}, Host: "localhost"},
		},
		{
			name:   "headers",
			dialer: phxtest.Dialer{Header: http.Header{"Host": {"example.com"}, "Origin": {"https://example.com"}, "User-Agent": {"kit"}}, Version: "1.0.0"},
			want:   seen{Params: phx.Params{"org": "roost", "vsn": "1.0.0"}, Host: "example.com", Agent: "kit"},
		},
		{
			name:        "token",
			dialer:      phxtest.Dialer{AuthToken: "abcd>?~"},
			want:        seen{Params: phx.Params{"org": "roost", "vsn": "2.0.0"}, Token: "abcd>?~", Host: "localhost"},
			subprotocol: "phoenix",
		},
		{
			name:        "subprotocols",
			dialer:      phxtest.Dialer{Subprotocols: []string{"chat.1", "chat.2"}},
			want:        seen{Params: phx.Params{"org": "roost", "vsn": "2.0.0"}, Host: "localhost"},
			subprotocol: "chat.2",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.want.Agent = max(tt.want.Agent, "Go-http-client/1.1")
			c := tt.dialer.Connect(t, ep, "/socket/roost", tt.params)
			if got := asJSON(t, got); !reflect.DeepEqual(got, asJSON(t, tt.want)) {
				t.Errorf("Connect got %v, want %v", got, asJSON(t, tt.want))
			}
			if c.Subprotocol != tt.subprotocol {
				t.Errorf("subprotocol %q, want %q", c.Subprotocol, tt.subprotocol)
			}
		})
	}
}

// asJSON makes maps of different types equal.
func asJSON(t *testing.T, v any) (out any) {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestConnectError(t *testing.T) {
	ep := phxtest.Start(t, phx.Config{Mounts: []phx.Mount{
		{Path: "/any"},
		{Path: "/none", Connect: func(*phx.Socket, phx.Params, *http.Request) error {
			return &phx.RefuseError{Status: http.StatusTooManyRequests, Header: http.Header{"Retry-After": {"7"}}, Body: "later"}
		}},
	}})
	answer := phxtest.ConnectError(t, ep, "/none", nil, http.StatusTooManyRequests)
	body, err := io.ReadAll(answer.Body)
	if err != nil || string(body) != "later" || answer.Header.Get("Retry-After") != "7" {
		t.Errorf("answer %q with %v, %v", body, answer.Header, err)
	}
	phxtest.ConnectError(t, ep, "/nowhere", nil, http.StatusNotFound)
	phxtest.Dialer{Version: "9.0.0"}.ConnectError(t, ep, "/any", nil, http.StatusForbidden)
	phxtest.Dialer{Header: http.Header{"Origin": {"https://evil.test"}}}.ConnectError(t, ep, "/any", nil, http.StatusForbidden)
}
