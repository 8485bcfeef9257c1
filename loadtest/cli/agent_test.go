package cli

import (
	"bytes"
	"context"
	"strings"
	"testing"
)

// An agent does not start with clients that no packet could reach.
func TestAgentWithoutSockets(t *testing.T) {
	t.Parallel()
	for args, want := range map[string]string{
		"-client-tcp bpf":                     "bpf counts on the server's socket",
		"-client-tcp x":                       `"x": want kernel or tun`,
		"-client-tcp tun":                     "-client-tcp tun: ", // no prefix, or no root
		"-client-tcp tun -from 2001:db8::/64": "-client-tcp tun: ",
	} {
		var out, errs bytes.Buffer
		code := Program{}.serveAgent(t.Context(), strings.Fields(args), &out, &errs)
		if code != exitUsage || !strings.Contains(errs.String(), want) {
			t.Errorf("%s: exit code %d, want %d and %q: %s", args, code, exitUsage, want, errs.String())
		}
	}
}

// What is wrong with the arguments of an agent is found before it listens.
func TestArgumentsOfAnAgent(t *testing.T) {
	for args, want := range map[string]struct {
		code int
		says string
	}{
		"-help":                     {exitOK, "usage: loadtest agent [flags]"},
		"-listen":                   {exitUsage, "flag needs an argument: -listen"},
		"-wrong":                    {exitUsage, "not defined: -wrong"},
		"more":                      {exitUsage, `unexpected argument "more"`},
		"-from eth0":                {exitUsage, "want an address such as"},
		"-from 192.0.2.1":           {exitUsage, "192.0.2.1 is not an address of this host"},
		"-listen 0.0.0.0:0":         {exitUsage, "an agent that other hosts can reach needs a token: set -token or ROOST_AGENT_TOKEN"},
		"-listen 192.0.2.1:0":       {exitBroken, "cannot assign requested address"},
		"-listen 127.0.0.1:http:80": {exitBroken, "too many colons"},
	} {
		t.Setenv(tokenEnv, "")
		var out, errs bytes.Buffer
		code := Program{}.serveAgent(t.Context(), strings.Fields(args), &out, &errs)
		if code != want.code || !strings.Contains(out.String()+errs.String(), want.says) || code != exitOK && !strings.HasPrefix(errs.String(), "loadtest agent: ") {
			t.Errorf("agent %s: exit code %d, %s%s, want %d and %q", args, code, &out, &errs, want.code, want.says)
		}
	}
}

// An agent with a token, by flag or from the environment, listens on any address, and
// ends well by a signal.
func TestAgentEnds(t *testing.T) {
	for name, args := range map[string]string{"by flag": "-token x", "by the environment": ""} {
		if t.Setenv(tokenEnv, ""); args == "" {
			t.Setenv(tokenEnv, "x")
		}
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		var out, errs bytes.Buffer
		code := Program{}.serveAgent(ended, strings.Fields("-listen 0.0.0.0:0 "+args), &out, &errs)
		if code != exitOK || !strings.HasPrefix(out.String(), "listening on ") || errs.Len() > 0 {
			t.Errorf("a token %s: exit code %d, %s%s", name, code, &out, &errs)
		}
	}
}
