package order_test

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"math/rand/v2"
	"net/http"
	"net/netip"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/roost-rt/roost/loadtest/order"
	"github.com/roost-rt/roost/loadtest/script"
)

// fill gives each field of v a value of its own.
func fill(random *rand.Rand, v reflect.Value) {
	switch v.Interface().(type) {
	case order.Sample:
		var s order.Sample
		for range 1 + random.IntN(200) { // listed, or a histogram
			s.Add(random.Int64N(1e12))
		}
		v.Set(reflect.ValueOf(s))
		return
	case netip.Prefix:
		v.Set(reflect.ValueOf(netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(random.IntN(256)), 0, 0}), 24)))
		return
	case script.Source:
		v.Set(reflect.ValueOf(script.Source{Text: []byte("text"), Columns: []string{"a", "b"}, Rows: [][]string{{"1", "2"}}}))
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(random, v.Elem())
	case reflect.Struct:
		for i := range v.NumField() {
			fill(random, v.Field(i))
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range v.Len() {
			fill(random, v.Index(i))
		}
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		fill(random, key)
		fill(random, value)
		v.SetMapIndex(key, value)
	case reflect.String:
		v.SetString([]string{"text", "two\nlines", `"quoted" <&>`, "ü\u2028"}[random.IntN(4)])
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Float64:
		v.SetFloat(1 + random.Float64())
	case reflect.Int64, reflect.Int, reflect.Int32:
		v.SetInt(1 + random.Int64N(1<<30))
	case reflect.Uint32, reflect.Uint8:
		v.SetUint(uint64(1 + random.IntN(255)))
	default:
		panic("no value for " + v.Type().String())
	}
}

// Whatever a coordinator orders and a process tells crosses the pipe between them as it
// is: no field is without a name, and none has another's.
func TestCommandsAndEventsCrossThePipe(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(51, 52))
	for _, kind := range []reflect.Type{reflect.TypeFor[order.Command](), reflect.TypeFor[order.Event]()} {
		for i := range kind.NumField() {
			sent, got := reflect.New(kind), reflect.New(kind)
			fill(random, sent.Elem().Field(i))
			text, err := json.Marshal(sent.Interface())
			if err == nil {
				err = json.Unmarshal(text, got.Interface())
			}
			if err != nil {
				t.Fatalf("%s: %v", kind.Field(i).Name, err)
			}
			if again, err := json.Marshal(got.Interface()); err != nil || !bytes.Equal(again, text) {
				t.Errorf("%s: %v, crosses as\n%s, and was\n%s", kind.Field(i).Name, err, again, text)
			}
			wantSame(t, kind.Field(i).Name, got.Elem().Field(i), sent.Elem().Field(i))
		}
	}
}

// wantSame compares field by field, so that it can name the one that differs.
func wantSame(t *testing.T, name string, got, want reflect.Value) {
	t.Helper()
	for want.Kind() == reflect.Pointer && !got.IsNil() {
		got, want = got.Elem(), want.Elem()
	}
	if s, ok := want.Interface().(order.Sample); ok {
		if g := got.Interface().(order.Sample); g.Count() != s.Count() || g.Percentile(99) != s.Percentile(99) {
			t.Errorf("%s: %d latencies to %d µs, want %d to %d", name, g.Count(), g.Percentile(99), s.Count(), s.Percentile(99))
		}
		return
	}
	if want.Kind() != reflect.Struct || want.NumField() == 0 || !want.Type().Field(0).IsExported() {
		if !reflect.DeepEqual(got.Interface(), want.Interface()) {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
		return
	}
	for i := range want.NumField() {
		wantSame(t, name+"."+want.Type().Field(i).Name, got.Field(i), want.Field(i))
	}
}

// A server reads of the request what was said, whatever signs are in it.
func TestAServerReadsTheRequest(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(53, 54))
	signs := []rune("aZ09 &=?#%+/\"'<>;ü€\\")
	text := func(most int) string {
		var b strings.Builder
		for range 1 + random.IntN(most) {
			b.WriteRune(signs[random.IntN(len(signs))])
		}
		return b.String()
	}
	for range 300 {
		names, values := []string{"n" + text(5), "m" + text(5)}, []string{text(12), text(12)}
		for i, name := range names { // the first "=" ends the name
			names[i] = strings.ReplaceAll(name, "=", "")
		}
		header := strings.TrimSpace(text(12))
		target := order.Target{URL: "ws://user:pa%20ss@example.com:4000/live/websocket?x=%7e", Greeting: order.Greeting{
			Params:  []string{names[0] + "=" + values[0], names[1] + "=" + values[1]},
			Headers: []string{"X-Odd: " + header}, Subprotocols: []string{"a", "b"},
		}}
		if random.IntN(2) == 0 {
			target.URL = "ws://example.com:4000/live/websocket?x=%7e"
		}
		if err := target.Check(); err != nil {
			t.Fatalf("%+v: %v", target, err)
		}
		r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(target.Request("dGhlIHNhbXBsZSBub25jZQ=="))))
		if err != nil {
			t.Fatalf("%q: %v", target.Request("x"), err)
		}
		query := r.URL.Query()
		for i, name := range names {
			if got := query[name]; !slices.Contains(got, values[i]) {
				t.Fatalf("param %q is %q, want %q", name, got, values[i])
			}
		}
		if query.Get("x") != "~" || r.URL.Path != "/live/websocket" || r.Host != "example.com:4000" || r.Header.Get("X-Odd") != header || r.Header.Get("Sec-Websocket-Protocol") != "a, b" {
			t.Fatalf("request %+v of %+v", r, target)
		}
		if name, password, said := r.BasicAuth(); said != strings.Contains(target.URL, "@") || said && (name != "user" || password != "pa ss") {
			t.Fatalf("%s authorizes %s with %q", target.URL, name, password)
		}
	}
}

// The host, the path and who asks are those of the URL, unless a header says otherwise.
func TestRequestByURL(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name       string
		target     order.Target
		addr, host string
		path       string
	}{
		{"a port of its own", order.Target{URL: "ws://h:4000/p"}, "h:4000", "h:4000", "/p"},
		{"the usual port", order.Target{URL: "ws://h/p"}, "h:80", "h", "/p"},
		{"the usual port of TLS", order.Target{URL: "wss://h"}, "h:443", "h", "/"},
		{"IPv6", order.Target{URL: "wss://[2001:db8::1]/p"}, "[2001:db8::1]:443", "[2001:db8::1]", "/p"},
		{"IPv6 with a port", order.Target{URL: "ws://[::1]:4000"}, "[::1]:4000", "[::1]:4000", "/"},
		{"another host", order.Target{URL: "ws://10.0.0.1/p", Greeting: order.Greeting{Headers: []string{"host:  example.com "}}}, "10.0.0.1:80", "example.com", "/p"},
		{"a query without a path", order.Target{URL: "ws://h?a=b"}, "h:80", "h", "/?a=b"},
		{"a fragment is not sent", order.Target{URL: "ws://h/p?a=b#c?d"}, "h:80", "h", "/p?a=b"},
		{"a fragment alone", order.Target{URL: "ws://h#c"}, "h:80", "h", "/"},
		{"a param first", order.Target{URL: "ws://h/p", Greeting: order.Greeting{Params: []string{"a=b=c", "d="}}}, "h:80", "h", "/p?a=b%3Dc&d="},
		{"a param after others", order.Target{URL: "ws://h/p?x", Greeting: order.Greeting{Params: []string{"a=b"}}}, "h:80", "h", "/p?x&a=b"},
	} {
		if err := test.target.Check(); err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		if addr, host, path := test.target.Addr(), test.target.Host(), test.target.Path(); addr != test.addr || host != test.host || path != test.path {
			t.Errorf("%s: connects to %s, asks %s for %s, want %s, %s and %s", test.name, addr, host, path, test.addr, test.host, test.path)
		}
		if head := string(test.target.Request("key")); strings.Count(strings.ToLower(head), "host:") != 1 || !strings.HasSuffix(head, "\r\n\r\n") {
			t.Errorf("%s: request %q, want one host", test.name, head)
		}
	}
	own := order.Target{URL: "ws://user:pass@h", Greeting: order.Greeting{Headers: []string{"authorization: Bearer x"}}}
	if head := string(own.Request("key")); strings.Contains(head, "Basic") || !strings.Contains(head, "authorization: Bearer x\r\n") {
		t.Errorf("request %q, want the header instead of the user of the URL", head)
	}
	token := order.Target{URL: "ws://h", Greeting: order.Greeting{AuthToken: "secret?>", Subprotocols: []string{"mine"}}}
	want := "Sec-WebSocket-Protocol: phoenix, base64url.bearer.phx." + base64.RawStdEncoding.EncodeToString([]byte("secret?>")) + ", mine\r\n"
	if head := string(token.Request("key")); !strings.Contains(head, want) {
		t.Errorf("request %q, want %q in it", head, want)
	}
}

// No message about a URL has the password that is in it.
func TestErrorsKeepPasswords(t *testing.T) {
	t.Parallel()
	for _, u := range []string{
		"http://user:secret@h", "ws://user:secret@", "ws://user:secret@h:port", "ws://user:secret@h/a b", "ws://user:secret@h/%zz", "//user:secret@h",
	} {
		err := order.Target{URL: u}.Check()
		if err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("Check() of %s = %v, want an error without the password", u, err)
		}
	}
	plain := order.Target{URL: "ws://user:secret@h", TLS: order.TLS{Insecure: true}}
	if err := plain.Check(); err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("Check() = %v, want an error without the password", err)
	}
}

// What is no field of a request, or belongs to the WebSocket, is refused by its name.
func TestGreetingsThatAreRefused(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		greeting order.Greeting
		want     string // "" is fine
	}{
		{order.Greeting{Headers: []string{"X: a\tb", "Y:", "Z: ü"}, Params: []string{"a="}, Subprotocols: []string{"v1.chat"}}, ""},
		{order.Greeting{Params: []string{"a"}}, `param: "a": want name=value`},
		{order.Greeting{Params: []string{"=b"}}, `param: "=b": want name=value`},
		{order.Greeting{Headers: []string{"X-Token"}}, `header: "X-Token": want 'Name: value'`},
		{order.Greeting{Headers: []string{": b"}}, `header: "": want 'Name: value'`},
		{order.Greeting{Headers: []string{"X Y: b"}}, `header: "X Y": want 'Name: value'`},
		{order.Greeting{Headers: []string{"X(: b"}}, `header: "X(": want 'Name: value'`},
		{order.Greeting{Headers: []string{"Xü: b"}}, `header: "Xü": want 'Name: value'`},
		{order.Greeting{Headers: []string{"X: a\r\nEvil: b"}}, "header: X: there is a control character in its value"},
		{order.Greeting{Headers: []string{"X: a\x7fb"}}, "header: X: there is a control character in its value"},
		{order.Greeting{Headers: []string{"upgrade: h2c"}}, "header: Upgrade belongs to the WebSocket"},
		{order.Greeting{Headers: []string{"A: b", "SEC-WEBSOCKET-PROTOCOL: x"}}, "header: Sec-WebSocket-Protocol belongs to the WebSocket"},
		{order.Greeting{Subprotocols: []string{"a b"}}, `subprotocol: "a b" is none`},
		{order.Greeting{Subprotocols: []string{"a", ""}}, `subprotocol: "" is none`},
		{order.Greeting{Subprotocols: []string{"a,b"}}, `subprotocol: "a,b" is none`},
	} {
		err := order.Target{URL: "ws://h", Greeting: test.greeting}.Check()
		if (err == nil) != (test.want == "") || err != nil && !strings.HasPrefix(err.Error(), test.want) {
			t.Errorf("Check(%+v) = %v, want %q", test.greeting, err, test.want)
		}
	}
}

// Clients that join, leave, are cut off and come back are as many as the counts of all
// processes say, whatever the order.
func TestCountsOfClients(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(55, 56))
	for range 50 {
		const clients, processes = 20, 3
		const never, here, away = 0, 1, 2
		var state [clients]int
		var counts [processes]order.Counts
		for range 200 {
			i := random.IntN(clients)
			c := &counts[i%processes]
			switch state[i] {
			case never:
				c.Joined++
				state[i] = here
			case here:
				if c.Left++; random.IntN(2) == 0 {
					c.Gone++
				}
				state[i] = away
			case away:
				if random.IntN(3) == 0 {
					c.Retries++
					c.Fault("refused", 1)
					continue
				}
				c.Returned++
				state[i] = here
			}
		}
		var sum order.Counts
		for _, i := range random.Perm(processes) {
			sum.Add(counts[i].Clone())
		}
		present := int64(0)
		for _, s := range state {
			if s == here {
				present++
			}
		}
		if sum.Present() != present || sum.Errors["refused"] != sum.Retries || sum.Gone > sum.Left {
			t.Fatalf("%d clients are present, the counts say %d: %+v", present, sum.Present(), sum)
		}
		before, clone := sum.Clone(), sum.Clone()
		clone.Fault("refused", 5)
		clone.Fault("new", 1)
		if !reflect.DeepEqual(before, sum) {
			t.Fatal("a clone shares its errors")
		}
	}
}

// A histogram of another process is added to one's own; a broken one is an error.
func TestHistogramsAreMerged(t *testing.T) {
	t.Parallel()
	a, b := order.NewHistogram(3), order.NewHistogram(3)
	order.Observe(a, int64(2*time.Millisecond))
	order.Observe(a, -5)
	order.ObserveMany(b, int64(time.Hour), 7)
	if err := order.Merge(a, order.Encode(b)); err != nil {
		t.Fatal(err)
	}
	if a.TotalCount() != 9 || a.Min() != 0 || a.Max() < 600_000_000 || a.ValueAtPercentile(20) != 2000 {
		t.Errorf("%d values from %d to %d µs, want 9 from 0 to ten minutes", a.TotalCount(), a.Min(), a.Max())
	}
	if order.Encode(order.NewHistogram(3)) != nil || order.Merge(a, nil) != nil || a.TotalCount() != 9 {
		t.Error("a histogram of nothing is something")
	}
	if err := order.Merge(a, []byte("no histogram")); err == nil {
		t.Error("what is no histogram is no error")
	}
	var s order.Sample
	if err := json.Unmarshal([]byte(`{"histogram":"bm8="}`), &s); err == nil {
		t.Error("a sample of what is no histogram is no error")
	}
}

// What is escaped in a URL arrives escaped, so that a server unescapes it once.
func TestQueryIsEscapedOnce(t *testing.T) {
	t.Parallel()
	target := order.Target{URL: "ws://h/p?a=%2525", Greeting: order.Greeting{Params: []string{"b=%25"}}}
	u, err := url.ParseRequestURI(target.Path())
	if err != nil || u.Query().Get("a") != "%25" || u.Query().Get("b") != "%25" {
		t.Errorf("path %s, %v, want both values once unescaped", target.Path(), err)
	}
}
