package report

import (
	"maps"
	"slices"
	"strings"

	"github.com/roost-rt/roost/loadtest/record"
)

// A Difference is something other than the subject that may explain a figure:
// the machine, a kernel setting, the number of clients, the commit.
type Difference struct {
	Name   string   `json:"name"`
	Values []string `json:"values"` // one for each side; of runs that differ among themselves, "a or b"
}

const notRecorded = "not recorded"

// differences are the circumstances that are not the same for all runs.
func differences(sides []Side) []Difference {
	found := []Difference{}
	for _, name := range circumstanceNames(sides) {
		d := Difference{Name: name}
		all := map[string]bool{}
		for _, s := range sides {
			values := s.values(name)
			for _, v := range values {
				all[v] = true
			}
			d.Values = append(d.Values, strings.Join(values, " or "))
		}
		if len(all) > 1 {
			found = append(found, d)
		}
	}
	return found
}

// circumstanceNames returns the names in all runs, in the order of their first mention.
func circumstanceNames(sides []Side) (names []string) {
	known := map[string]bool{}
	for _, s := range sides {
		for _, r := range s.Runs {
			for _, c := range r.circumstances() {
				if !known[c.Name] {
					names = append(names, c.Name)
				}
				known[c.Name] = true
			}
		}
	}
	return names
}

// values are the different values of the named circumstance.
func (s Side) values(name string) (values []string) {
	for _, r := range s.Runs {
		value := notRecorded
		for _, c := range r.circumstances() {
			if c.Name == name {
				value = c.Value
			}
		}
		if !slices.Contains(values, value) {
			values = append(values, value)
		}
	}
	return values
}

// circumstances returns the settings that runs should share to be compared.
func (r *Result) circumstances() []record.Setting {
	clients := record.Setting{Name: "clients", Value: show(r.Summary.Clients, count)}
	if r.Run == nil {
		return []record.Setting{clients}
	}
	commit := record.Setting{Name: "commit", Value: shortCommit(r.Run.Commit)}
	config := maps.Clone(r.Run.Config)
	delete(config, clients.Name)
	return slices.Concat([]record.Setting{clients, commit}, r.host(), configured(config, r.Summary.Scenario), r.Run.Kernel)
}
