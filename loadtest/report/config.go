package report

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/roost-rt/roost/loadtest/record"
)

// configured are the settings that do something in a scenario. Records have all.
func configured(config map[string]any, scenario string) []record.Setting {
	var all []record.Setting
	for _, name := range slices.Sorted(maps.Keys(config)) {
		if matters(name, scenario) {
			all = append(all, option(name, config[name]))
		}
	}
	return all
}

// matters reports whether a setting matters in a scenario. It passes over settings of
// other scenarios. One that no scenario names may matter.
func matters(name, scenario string) bool {
	of := func(k kind) bool { return slices.Contains(k.settings, name) }
	return of(kindOf(scenario)) || !slices.ContainsFunc(kinds(), of)
}

// option shows nanoseconds as people write them: late_ns of 1e10 is late, 10s.
func option(name string, value any) record.Setting {
	short, nanoseconds := strings.CutSuffix(name, "_ns")
	if ns, number := value.(float64); number && nanoseconds {
		return record.Setting{Name: short, Value: time.Duration(ns).String()}
	}
	if text, ok := value.(string); ok {
		return record.Setting{Name: name, Value: text}
	}
	var text strings.Builder
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)                  // a page does so itself, and people read p99<1s
	if err := encoder.Encode(value); err != nil { // a value that never was JSON: it came through New
		return record.Setting{Name: name, Value: fmt.Sprint(value)}
	}
	return record.Setting{Name: name, Value: strings.TrimSuffix(text.String(), "\n")}
}

// breakable cuts a name where a line may end: net.ipv4.tcp_mem is four parts.
func breakable(name string) (parts []string) {
	for name != "" {
		i := strings.IndexAny(name, "._") + 1
		if i == 0 {
			i = len(name)
		}
		parts = append(parts, name[:i])
		name = name[i:]
	}
	return parts
}
