package main_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestScenarioFile(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "rush.conf")
	text := "# a rush\nscenario churn\nclients 40\nchurn 20 # of them\nmessages 8\nrate 4\n\nslo lost=0\n"
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	c, out := start(t, file, "-clients", "30", "-json", "figures.json")
	if code := exitCode(t, c.Wait()); code != 0 {
		t.Fatalf("exit code %d, want 0:\n%s", code, out)
	}
	figures, err := os.ReadFile(filepath.Join(c.Dir, "figures.json"))
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Summary struct {
			Scenario string
			Clients  int
		}
		Run struct {
			Config struct{ Churn, Rate, Messages float64 }
		}
	}
	if err := json.Unmarshal(figures, &got); err != nil {
		t.Fatal(err)
	}
	if s, r := got.Summary, got.Run.Config; s.Scenario != "churn" || s.Clients != 30 || r.Churn != 20 || r.Rate != 4 || r.Messages != 8 {
		t.Errorf("run %+v, want churn of the file with the 30 clients of the command line", got)
	}
}

func TestScenarioFileMistakes(t *testing.T) {
	for _, test := range []struct{ text, want string }{
		{"scenario wrong\n", `no scenario "wrong"`},
		{"clients 10\nwriter 2\n", `bad.conf: no flag "writer"`},
		{"clients ten\n", "bad.conf: clients ten: "},
		{"clients 10\nclients 20\n", `bad.conf: "clients" is there twice`},
		{"messages 0\n", "leave it out for the default"},
	} {
		t.Run(test.text, func(t *testing.T) {
			t.Parallel()
			folder := t.TempDir()
			file := filepath.Join(folder, "bad.conf")
			if err := os.WriteFile(file, []byte(test.text), 0o644); err != nil {
				t.Fatal(err)
			}
			c, out := start(t, file)
			if code := exitCode(t, c.Wait()); code != 2 || !strings.Contains(out.String(), test.want) {
				t.Errorf("exit code %d, want 2 with %q:\n%s", code, test.want, out)
			}
		})
	}
	c, out := start(t, "none.conf")
	if code := exitCode(t, c.Wait()); code != 2 || !strings.Contains(out.String(), "no file none.conf") {
		t.Errorf("exit code %d, want 2 and that there is no such file:\n%s", code, out)
	}
}

// Every file that comes with the program can be read, and is of the list.
func TestBundledScenarios(t *testing.T) {
	files, err := filepath.Glob("scenarios/*.conf")
	if err != nil || len(files) < 9 {
		t.Fatalf("%d files, error %v, want one for each scenario at least", len(files), err)
	}
	listed, out := start(t, "list")
	if code := exitCode(t, listed.Wait()); code != 0 {
		t.Fatalf("exit code %d, want 0:\n%s", code, out)
	}
	for _, file := range files {
		name := filepath.Base(file)
		if !strings.Contains(out.String(), name) {
			t.Errorf("loadtest list lacks %s:\n%s", name, out)
		}
		c, help := start(t, name, "-clients", "1000000000", "-client-tcp", "kernel", "-netns", "no", "-json", "x")
		if code := exitCode(t, c.Wait()); code != 1 || !strings.Contains(help.String(), "too many clients") {
			t.Errorf("%s: exit code %d, want 1 because of the clients alone:\n%s", name, code, help)
		}
	}
}
