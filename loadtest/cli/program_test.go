package cli

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

// A parent has some commands of its own, and all others below bench.
func TestNamesOfCommands(t *testing.T) {
	t.Parallel()
	for command, want := range map[string][2]string{ // alone, and as a part of roost
		"":                {"loadtest", "roost bench"},
		"echo":            {"loadtest echo", "roost bench echo"},
		"knee":            {"loadtest knee", "roost bench knee"},
		"compare-servers": {"loadtest compare-servers", "roost bench compare-servers"},
		"agent":           {"loadtest agent", "roost bench agent"},
		"compare":         {"loadtest compare", "roost compare"},
		"capacity":        {"loadtest capacity", "roost capacity"},
		"doctor":          {"loadtest doctor", "roost doctor"},
		"plan":            {"loadtest plan", "roost plan"},
		"tune":            {"loadtest tune", "roost tune"},
	} {
		if alone, part := (Program{}).name(command), (Program{Parent: "roost"}).name(command); alone != want[0] || part != want[1] {
			t.Errorf("%q is called by %q and %q, want %q", command, alone, part, want)
		}
	}
	for _, command := range Commands() {
		if slices.Contains(Beside(), command) {
			t.Errorf("%s is of the parent and of bench", command)
		}
	}
}

// Texts for people have the commands that they can call, in whatever way a text calls
// them.
func TestHelpOfAParent(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"usage: loadtest [SCENARIO] [flags]": "usage: roost bench [SCENARIO] [flags]",
		"go run ./loadtest knee -slo x":      "roost bench knee -slo x",
		"loadtest doctor -clients 1":         "roost doctor -clients 1",
		"Loadtest compare sets runs":         "roost compare sets runs",
		"\"loadtest list\" explains":         "\"roost bench list\" explains",
		"loadtest -url ws://h":               "roost bench -url ws://h",
		"a loadtestx b, loadtest":            "a loadtestx b, loadtest",
		"see loadtest/examples":              "see loadtest/examples",
		"(loadtest idle -clients 10000)":     "(roost bench idle -clients 10000)",
	} {
		if got := (Program{Parent: "roost"}).help(text); got != want {
			t.Errorf("%q becomes %q, want %q", text, got, want)
		}
		if got := (Program{}).help(text); got != text {
			t.Errorf("alone, %q becomes %q", text, got)
		}
	}
}

// The processes of a run are this program, with the command of a parent before.
func TestSelf(t *testing.T) {
	t.Parallel()
	alone, err := Program{}.self("knee", "-x")
	part, err2 := Program{Parent: "roost"}.self("knee", "-x")
	if err != nil || err2 != nil || len(alone) != 3 || !slices.Equal(alone[1:], []string{"knee", "-x"}) || !slices.Equal(part[1:], []string{"bench", "knee", "-x"}) || alone[0] != part[0] {
		t.Errorf("alone %q, %v; of a parent %q, %v", alone, err, part, err2)
	}
}

// Errors name the command, and no secrets: people pass them on.
func TestErrorsForPeople(t *testing.T) {
	t.Parallel()
	err := errors.New("dial ws://user:geheim@h/socket?token=geheim: refused")
	for _, tt := range []struct {
		report func(out *strings.Builder) int
		code   int
		want   string
	}{
		{func(out *strings.Builder) int { return Program{}.failed(out, "knee", err) }, exitBroken, "loadtest knee: dial ws://user:[FILTERED]@h/socket?token=[FILTERED] refused\n"},
		{func(out *strings.Builder) int { return Program{Parent: "roost"}.failed(out, "plan", errors.New("no")) }, exitBroken, "roost plan: no\n"},
		{func(out *strings.Builder) int { return Program{}.misused(out, "", errors.New("no")) }, exitUsage, "loadtest: no; see -help\n"},
		{func(out *strings.Builder) int { return Program{}.misused(out, "", err) }, exitUsage, "loadtest: dial ws://user:[FILTERED]@h/socket?token=[FILTERED] refused; see -help\n"},
	} {
		var out strings.Builder
		if code := tt.report(&out); code != tt.code || out.String() != tt.want {
			t.Errorf("exit code %d and %q, want %d and %q", code, out.String(), tt.code, tt.want)
		}
	}
}
