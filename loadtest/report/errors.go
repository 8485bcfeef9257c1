package report

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

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
