package script_test

import (
	"slices"
	"testing"

	"github.com/roost-rt/roost/loadtest/script"
)

func TestNamed(t *testing.T) {
	meters := []script.Meter{
		{Name: "join room:lobby", What: "join"}, {Name: "join me", What: "join"},
		{Name: "push new_msg", What: "reply"}, {Name: "push new_msg", What: "broadcast"},
		{Name: "reply", What: "push"}, {Name: "expect me", What: "event"},
	}
	for name, want := range map[string][]int{
		"push new_msg":           {2, 3},
		"new_msg":                {2, 3},
		"new_msg.broadcast":      {3},
		"push new_msg.broadcast": {3},
		"join":                   {0, 1}, // all of the kind
		"room:lobby":             {0},
		"me":                     {1, 5},
		"me.event":               {5},
		"reply":                  {4}, // a step of that name, before all of the kind
		"broadcast":              {3},
		"msg":                    nil,
		"":                       nil,
	} {
		if got := script.Named(meters, name); !slices.Equal(got, want) {
			t.Errorf("%q means %v, want %v", name, got, want)
		}
	}
}
