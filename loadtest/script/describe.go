package script

import (
	"fmt"
	"strings"
)

// String tells what a run of the script does, in a sentence without its full stop.
func (s *Script) String() string {
	var topics []string
	for _, t := range s.Topics {
		topics = append(topics, t.As)
	}
	where := "no topic"
	if len(topics) > 0 {
		where = strings.Join(topics, ", ")
	}
	how := "until they have made their rounds"
	if length := s.Length(); length > 0 {
		how = fmt.Sprintf("for %v", length)
	}
	if n := len(s.Stages); n > 0 {
		how += fmt.Sprintf(" in %d stages", n)
	}
	if s.Rounds > 0 {
		how += fmt.Sprintf(", %d at most each", s.Rounds)
	}
	if s.Rate > 0 {
		how += fmt.Sprintf(", %v rounds a second over all", s.Rate)
	} else if s.Paced() {
		how += ", rounds at a given rate"
	}
	return fmt.Sprintf("users join %s over %s, and go through %d steps %s", where, s.Target.Transport, len(s.Steps), how)
}
