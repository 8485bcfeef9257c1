package plan_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/roost-rt/roost/loadtest/plan"
)

func TestScenarios(t *testing.T) {
	all := plan.Scenarios()
	if len(all) != 11 || all[0] != plan.Chat {
		t.Errorf("Scenarios() = %v, want eleven, a chat first", all)
	}
	for _, s := range all {
		var read plan.Scenario
		text, err := s.MarshalText()
		if err == nil {
			err = read.UnmarshalText(text)
		}
		if err != nil || read != s {
			t.Errorf("%s written and read = %q, %v", s, read, err)
		}
		if s.Says() == "" || s != plan.Chat && s.Says() == plan.Chat.Says() {
			t.Errorf("%s says %q, want something of its own", s, s.Says())
		}
	}
	var s plan.Scenario
	if err := s.UnmarshalText([]byte("chatt")); err == nil || !strings.HasSuffix(err.Error(), "there are chat, echo, idle, rooms, churn, slow, storm, kill, burst, soak, app") {
		t.Errorf("UnmarshalText(chatt) = %v, want an error that has all names", err)
	}
}

// A scenario that nobody named is a chat.
func TestScenarioTraits(t *testing.T) {
	for _, test := range []struct {
		scenario          plan.Scenario
		sends, reconnects bool
		serverFlags       int
	}{
		{"", true, false, 0},
		{plan.Chat, true, false, 0},
		{plan.Echo, false, false, 0},
		{plan.Idle, false, false, 0},
		{plan.Rooms, true, false, 0},
		{plan.Churn, true, false, 0},
		{plan.Slow, true, false, 2},
		{plan.Storm, true, true, 0},
		{plan.Kill, true, true, 0},
		{plan.Burst, true, false, 0},
		{plan.Soak, true, false, 0},
	} {
		s := test.scenario
		if s.Sends() != test.sends || s.Reconnects() != test.reconnects || len(s.ServerFlags()) != test.serverFlags {
			t.Errorf("%q: sends %t, reconnects %t, flags of servers %q, want %t, %t and %d",
				s, s.Sends(), s.Reconnects(), s.ServerFlags(), test.sends, test.reconnects, test.serverFlags)
		}
	}
}

// What people see of a run is its scenario's, and so is how many messages it will send.
func TestScenarioShows(t *testing.T) {
	for _, test := range []struct {
		scenario plan.Scenario
		shows    string
		planned  int64 // of three writers with 20 messages each
	}{
		{"", "messages", 60},
		{plan.Chat, "messages", 60},
		{plan.Echo, "replies", 0},
		{plan.Idle, "heartbeats", 0},
		{plan.Rooms, "messages", 0},
		{plan.Burst, "replies messages", 60},
		{plan.App, "replies messages", 0},
	} {
		shows := strings.Trim(fmt.Sprint(test.scenario.Shows()), "[]")
		if planned := test.scenario.Planned(20, 3); shows != test.shows || planned != test.planned {
			t.Errorf("%q shows %s, %d messages planned, want %s and %d", test.scenario, shows, planned, test.shows, test.planned)
		}
	}
}
