package report

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// lacks is what the scenario itself lacks, "" if nothing.
func (s Summary) lacks() string {
	switch s.Scenario {
	case echo:
		if s.Echo == nil || s.Echo.Replies == 0 {
			return "no ping was answered"
		}
	case idle:
		if s.Idle == nil || s.Idle.Heartbeats == 0 {
			return "no heartbeat was answered: was there time for one?"
		}
	case storm, kill:
		return s.Comeback.lacks()
	case churn:
		return s.Churn.lacks()
	case burst:
		if s.Burst == nil || s.Burst.Replies == 0 {
			return "no push was answered"
		}
	case slow:
		if s.Slow == nil || s.Slow.Stalled == nil && s.Slow.CutOff == 0 {
			return "no client stopped to read"
		}
	}
	return ""
}

// unanswered is the kind of error that an interruption makes by itself.
const unanswered = "ping not answered"

// erred sums up the errors of clients. No scenario expects any: that a client is
// cut off by a kill or a storm, or for not reading, is counted elsewhere, and so
// are its attempts to come back.
func (s Summary) erred() string {
	var kinds []string
	var n int64
	for _, kind := range slices.Sorted(maps.Keys(s.Errors)) {
		of := s.Errors[kind]
		if of == 0 || s.Interrupted && kind == unanswered {
			continue
		}
		n += of
		kinds = append(kinds, fmt.Sprintf("%s × %s", count(of), kind))
	}
	switch n {
	case 0:
		return ""
	case 1:
		return "1 error: " + kinds[0]
	}
	return fmt.Sprintf("%s errors: %s", count(n), strings.Join(kinds, ", "))
}

// lacks is what is missing, "" if nothing. Old records do not tell how many were
// cut off, but then somebody came back.
func (c *Comeback) lacks() string {
	switch {
	case c == nil, c.Back == 0 && (c.CutOff == nil || *c.CutOff == 0):
		return "no client was disconnected"
	case c.CutOff != nil && c.Back < *c.CutOff:
		return fmt.Sprintf("%s of %s clients reconnected", count(c.Back), count(*c.CutOff))
	}
	return ""
}

// lacks is the same of those that left by themselves. The run waits for them at
// its end.
func (c *Churn) lacks() string {
	switch {
	case c == nil, c.Joins == 0 && (c.Leaves == nil || *c.Leaves == 0):
		return "no client left the topic"
	case c.Leaves != nil && c.Joins < *c.Leaves:
		return fmt.Sprintf("%s of %s clients that left joined again", count(c.Joins), count(*c.Leaves))
	}
	return ""
}
