package phx_test

import (
	"net/http/httptest"
	"reflect"
	"testing"

	"github.com/roost-rt/roost/server/phx"
	"github.com/roost-rt/roost/server/phxtest"
)

// The topics with the most subscribers come first.
func TestTopics(t *testing.T) {
	any := phx.Mount{Path: "/socket", Routes: []phx.Route{{Pattern: "*", Type: &phx.ChannelType{}}}}
	ep := phxtest.Start(t, phx.Config{Mounts: []phx.Mount{any}})
	for _, topics := range [][]string{{"a", "b", "c"}, {"b", "c"}, {"c", "d"}} {
		c := phxtest.Connect(t, ep, "/socket", nil)
		for _, topic := range topics {
			c.Join(topic, nil)
		}
	}
	want := []phx.TopicInfo{{"c", 3}, {"b", 2}, {"a", 1}, {"d", 1}}
	for n := range 6 {
		if got, want := ep.Topics(n), want[:min(n, 4)]; !reflect.DeepEqual(got, want) {
			t.Errorf("Topics(%d) = %v, want %v", n, got, want)
		}
	}
	for target, want := range map[string]string{
		"/topics?limit=1":     `{"topics":[{"topic":"c","subscribers":3}` + "\n],\"more\":true}\n",
		"/topics?limit=-1":    `{"error":"limit is \"-1\": want 0 to 10000"}` + "\n",
		"/topics?limit=10001": `{"error":"limit is \"10001\": want 0 to 10000"}` + "\n",
	} {
		w := httptest.NewRecorder()
		ep.AdminHandler().ServeHTTP(w, httptest.NewRequest("GET", target, nil))
		if w.Body.String() != want {
			t.Errorf("GET %s: %q, want %q", target, w.Body, want)
		}
	}
}
