package order_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/roost-rt/roost/loadtest/order"
)

func greeting(g order.Greeting) order.Target {
	return order.Target{URL: "ws://example.test/", Greeting: g}
}

// A request says what it was told, byte for byte, and nothing of it can become
// another line.
func TestTargetRequest(t *testing.T) {
	for name, test := range map[string]struct {
		target order.Target
		addr   string
		line   string   // the first
		has    []string // lines further on
		hasNot string
	}{
		"least":   {order.Target{URL: "ws://h"}, "h:80", "GET / HTTP/1.1", []string{"Host: h"}, "Sec-WebSocket-Protocol"},
		"secure":  {order.Target{URL: "wss://h/p"}, "h:443", "GET /p HTTP/1.1", []string{"Host: h"}, ""},
		"address": {order.Target{URL: "wss://[2001:db8::1]:8443/p"}, "[2001:db8::1]:8443", "GET /p HTTP/1.1", []string{"Host: [2001:db8::1]:8443"}, ""},
		"query as it is": {order.Target{URL: "ws://h/a%2Fb//c?z=1&a=%7e&a=~&flag&x=a+b%20c"}, "h:80",
			"GET /a%2Fb//c?z=1&a=%7e&a=~&flag&x=a+b%20c HTTP/1.1", nil, ""},
		"query, no path": {order.Target{URL: "ws://h:4000?b=1"}, "h:4000", "GET /?b=1 HTTP/1.1", nil, ""},
		"no fragment":    {order.Target{URL: "ws://h/p?b=1#top"}, "h:80", "GET /p?b=1 HTTP/1.1", nil, "top"},
		"params": {order.Target{URL: "ws://h/p", Greeting: order.Greeting{Params: []string{"token=a b&c=d", "é=1", "empty="}}}, "h:80",
			"GET /p?token=a+b%26c%3Dd&%C3%A9=1&empty= HTTP/1.1", nil, ""},
		"headers": {greeting(order.Greeting{Headers: []string{"Cookie:a=1; b=2", "X-Two: 1", "X-Two: 2"}}), "example.test:80", "GET / HTTP/1.1",
			[]string{"Cookie: a=1; b=2", "X-Two: 1", "X-Two: 2", "Host: example.test"}, ""},
		"another host": {greeting(order.Greeting{Headers: []string{"host: other.test"}}), "example.test:80", "GET / HTTP/1.1",
			[]string{"Host: other.test"}, "example.test"},
		"password": {order.Target{URL: "ws://al:a%3Ab@h/p"}, "h:80", "GET /p HTTP/1.1", []string{"Host: h", "Authorization: Basic YWw6YTpi"}, "al:a"},
		"password and header": {order.Target{URL: "ws://al:pw@h/p", Greeting: order.Greeting{Headers: []string{"authorization: Bearer x"}}}, "h:80", "GET /p HTTP/1.1",
			[]string{"authorization: Bearer x"}, "Basic"},
		"subprotocols":  {greeting(order.Greeting{Subprotocols: []string{"a", "b"}}), "example.test:80", "GET / HTTP/1.1", []string{"Sec-WebSocket-Protocol: a, b"}, ""},
		"a subprotocol": {greeting(order.Greeting{Subprotocols: []string{"a"}}), "example.test:80", "GET / HTTP/1.1", []string{"Sec-WebSocket-Protocol: a"}, ""},
		"auth token": {greeting(order.Greeting{AuthToken: "abc?>", Subprotocols: []string{"x"}}), "example.test:80", "GET / HTTP/1.1",
			[]string{"Sec-WebSocket-Protocol: phoenix, base64url.bearer.phx.YWJjPz4, x"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			if err := test.target.Check(); err != nil {
				t.Fatalf("Check() = %v", err)
			}
			if got := test.target.Addr(); got != test.addr {
				t.Errorf("Addr() = %s, want %s", got, test.addr)
			}
			request := test.target.Request("key")
			lines := strings.Split(string(request), "\r\n")
			if lines[0] != test.line {
				t.Errorf("first line %q, want %q", lines[0], test.line)
			}
			for _, want := range test.has {
				if strings.Count("\r\n"+string(request), "\r\n"+want+"\r\n") != 1 {
					t.Errorf("request\n%s\nwant the line %q once", request, want)
				}
			}
			if test.hasNot != "" && bytes.Contains(request, []byte(test.hasNot)) {
				t.Errorf("request\n%s\nwant nothing of %q", request, test.hasNot)
			}
			if _, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(request))); err != nil {
				t.Errorf("net/http does not take it: %v", err)
			}
		})
	}
}

func TestTargetCheck(t *testing.T) {
	for want, target := range map[string]order.Target{
		"want ws://host:port or wss":            {URL: "http://h"},
		"in host name":                          {URL: "ws://h h/"},
		"invalid character \" \" in host":       {URL: "ws://al:secret@h h/"},
		"there is a space in it":                {URL: "ws://h/?a=b c"},
		"invalid control character":             {URL: "ws://h/\r\nX: y"},
		"want name=value":                       greeting(order.Greeting{Params: []string{"token"}}),
		"header: \"X\": want 'Name: value'":     greeting(order.Greeting{Headers: []string{"X"}}),
		"header: \"X Y\": want":                 greeting(order.Greeting{Headers: []string{"X Y: 1"}}),
		"control character in its value":        greeting(order.Greeting{Headers: []string{"X: 1\r\nEvil: 2"}}),
		"Upgrade belongs to the WebSocket":      greeting(order.Greeting{Headers: []string{"upgrade: h2c"}}),
		"say -subprotocol":                      greeting(order.Greeting{Headers: []string{"Sec-WebSocket-Protocol: a"}}),
		"no spaces or commas":                   greeting(order.Greeting{Subprotocols: []string{"a, b"}}),
		"is without TLS":                        {URL: "ws://h", TLS: order.TLS{Insecure: true}},
		"a certificate needs its private key":   {URL: "wss://h", TLS: order.TLS{Cert: "c.pem"}},
		"the one takes any certificate":         {URL: "wss://h", TLS: order.TLS{CA: "c.pem", Insecure: true}},
		"url: \"ftp://al:xxxxx@h\": want ws://": {URL: "ftp://al:secret@h"},
	} {
		if err := target.Check(); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("Check(%+v) = %v, want %q", target, err, want)
		}
	}
}

// A target crosses to agents as JSON.
func TestTargetIsJSON(t *testing.T) {
	target := order.Target{URL: "wss://h/p?x=%7e", Greeting: order.Greeting{Params: []string{"a=b"}, Headers: []string{"C: d"}, AuthToken: "t"}, TLS: order.TLS{Resume: true}}
	text, err := json.Marshal(target)
	if err != nil {
		t.Fatal(err)
	}
	var back order.Target
	if err := json.Unmarshal(text, &back); err != nil {
		t.Fatal(err)
	}
	if got, want := string(back.Request("k")), string(target.Request("k")); got != want || back.TLS != target.TLS {
		t.Errorf("%s became %+v", text, back)
	}
}
