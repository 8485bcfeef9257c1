package script

import (
	"fmt"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// A Time is a duration such as 500ms, 10s or 1m.
type Time time.Duration

// UnmarshalYAML reads it.
func (t *Time) UnmarshalYAML(node *yaml.Node) error {
	d, err := parseTime(node.Value)
	if node.Kind != yaml.ScalarNode || err != nil {
		return fmt.Errorf("line %d: %q is no time: want one such as 500ms, 10s or 1m", node.Line, node.Value)
	}
	*t = d
	return nil
}

func parseTime(text string) (Time, error) {
	d, err := time.ParseDuration(strings.TrimSpace(text))
	if err == nil && d < 0 {
		err = fmt.Errorf("%s is negative", text)
	}
	return Time(d), err
}

// Or is t, or the other one if it is 0.
func (t Time) Or(other Time) time.Duration {
	if t == 0 {
		t = other
	}
	return time.Duration(t)
}

// Limits are texts, one or a list of them.
type Limits []string

// UnmarshalYAML reads them.
func (l *Limits) UnmarshalYAML(node *yaml.Node) error {
	if node.Kind == yaml.ScalarNode {
		*l = Limits{node.Value}
		return nil
	}
	if err := node.Decode((*[]string)(l)); err != nil {
		return fmt.Errorf("line %d: want thresholds such as p99<200ms, one or a list of them", node.Line)
	}
	return nil
}

// A Span is a time between two, such as 1s..3s, or always the same.
type Span struct{ Least, Most time.Duration }

// UnmarshalYAML reads it.
func (s *Span) UnmarshalYAML(node *yaml.Node) error {
	least, most, two := strings.Cut(node.Value, "..")
	from, err := parseTime(least)
	to := from
	if err == nil && two {
		to, err = parseTime(most)
	}
	if node.Kind != yaml.ScalarNode || err != nil || to < from || to == 0 {
		return fmt.Errorf("line %d: %q is no time to wait: want one such as 2s, or 1s..3s for any between the two", node.Line, node.Value)
	}
	s.Least, s.Most = time.Duration(from), time.Duration(to)
	return nil
}
