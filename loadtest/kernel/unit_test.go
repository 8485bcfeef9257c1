package kernel

import (
	"os"
	"regexp"
	"testing"
)

// The unit that is shipped has the limits that apply writes for a million clients.
func TestShippedUnit(t *testing.T) {
	unit, err := os.ReadFile("../../scripts/ship/roost.service")
	if err != nil {
		t.Fatal(err)
	}
	limits := regexp.MustCompile(`(?m)^[A-Z]\w+=.*$`).FindAllString(unitText(1_000_000), -1)
	if len(limits) == 0 {
		t.Error("apply writes no limits")
	}
	for _, limit := range limits {
		if !regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(limit) + `$`).Match(unit) {
			t.Errorf("the unit has no line %s", limit)
		}
	}
}
