package script

import (
	"slices"
	"strings"
)

// A Meter is one thing that is measured of all users together.
type Meter struct {
	Name string // of the step, for people
	What string // "join", "reply", "broadcast", "event", "leave" or "push", which waits for nothing
}

// Named returns the places of the meters that a name stands for: the name of a step,
// perhaps with ".reply" or another What behind it; else such a name without its verb, as
// new_msg for "push new_msg"; else a What, for all steps of that kind.
func Named(meters []Meter, name string) (places []int) {
	for _, is := range []func(Meter) bool{
		func(m Meter) bool { return m.Name == name || m.Name+"."+m.What == name },
		func(m Meter) bool {
			verb, rest, _ := strings.Cut(m.Name, " ")
			isVerb := slices.Contains([]string{"push", "join", "leave", "expect"}, verb)
			return isVerb && (rest == name || rest+"."+m.What == name)
		},
		func(m Meter) bool { return m.What == name },
	} {
		for i, m := range meters {
			if is(m) {
				places = append(places, i)
			}
		}
		if places != nil {
			return places
		}
	}
	return nil
}
