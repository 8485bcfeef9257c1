package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"
)

// shipped is where scripts/ship is from here.
const shipped = "../../../scripts/ship"

// A shippedServer is a server as one of the files in scripts/ship starts it: its
// settings, and how long whoever started it waits for its end.
type shippedServer struct {
	name  string
	args  []string
	grace time.Duration
}

// parse reads a file of scripts/ship.
func parse(t *testing.T, name string, into any) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(shipped, name))
	if err == nil {
		err = yaml.Unmarshal(text, into)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// shippedServers are those of Compose, Kubernetes and systemd.
func shippedServers(t *testing.T) []shippedServer {
	t.Helper()
	var compose struct {
		Node struct {
			Command []string
			Grace   time.Duration `yaml:"stop_grace_period"`
		} `yaml:"x-node"`
	}
	parse(t, "compose/compose.yaml", &compose)
	servers := []shippedServer{{"Compose", compose.Node.Command, compose.Node.Grace}}
	for name, dir := range map[string]string{"deployment.yaml": "base", "pods.yaml": "million"} {
		var deployment struct {
			Spec struct{ Template struct{ Spec pod } }
		}
		parse(t, filepath.Join("kubernetes", dir, name), &deployment)
		p := deployment.Spec.Template.Spec
		args := replaced(p.Containers[0].Args, filepath.Join(shipped, "kubernetes/base/roost.yaml"))
		sleep := p.Containers[0].Lifecycle.PreStop.Sleep.Seconds
		servers = append(servers, shippedServer{dir, args, time.Duration(p.Grace-max(sleep, 5)) * time.Second})
	}
	unit, err := os.ReadFile(filepath.Join(shipped, "roost.service"))
	if err != nil {
		t.Fatal(err)
	}
	start := regexp.MustCompile(`(?m)^ExecStart=/usr/bin/roost (.*)$`).FindSubmatch(unit)
	stop := regexp.MustCompile(`(?m)^TimeoutStopSec=(\d+)$`).FindSubmatch(unit)
	if start == nil || stop == nil {
		t.Fatal("the unit does not say how it starts and stops")
	}
	seconds, _ := strconv.Atoi(string(stop[1])) // digits
	return append(servers, shippedServer{"systemd", replaced(strings.Fields(string(start[1])), filepath.Join(shipped, "roost.yaml")), time.Duration(seconds) * time.Second})
}

// A pod is what this test reads of one.
type pod struct {
	Grace      int `yaml:"terminationGracePeriodSeconds"`
	Containers []struct {
		Args      []string
		Lifecycle struct {
			PreStop struct{ Sleep struct{ Seconds int } } `yaml:"preStop"`
		}
	}
}

// replaced are arguments with the path of the settings here.
func replaced(args []string, path string) (out []string) {
	for _, arg := range args {
		if arg == "/etc/roost/roost.yaml" {
			arg, _ = filepath.Abs(path) // the test has a working directory
		}
		out = append(out, arg)
	}
	return out
}

// What is shipped starts servers with settings that they take, and does not kill them
// before their drain is over.
func TestShippedServers(t *testing.T) {
	t.Setenv("ROOST_ADMIN_TOKEN", "0123456789abcdef")
	t.Setenv("ROOST_SECRET", "0123456789abcdef0123456789abcdef")
	for _, s := range shippedServers(t) {
		if len(s.args) == 0 || s.args[0] != "serve" {
			t.Errorf("%s: the arguments are %q, want serve and flags", s.name, s.args)
			continue
		}
		if code, _, stderr := roost(t, append([]string{"config", "check"}, s.args[1:]...)...); code != 0 {
			t.Errorf("%s: config check %q: exit code %d, %s", s.name, s.args[1:], code, stderr)
		}
		_, printed, _ := roost(t, append([]string{"config", "print"}, s.args[1:]...)...)
		var settings struct{ Drain time.Duration }
		if err := yaml.Unmarshal([]byte(printed), &settings); err != nil {
			t.Fatal(err)
		}
		if settings.Drain <= 0 || settings.Drain >= s.grace {
			t.Errorf("%s: the server drains for %v, and is killed after %v", s.name, settings.Drain, s.grace)
		}
	}
}
