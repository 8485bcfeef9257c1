package cli

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/roost-rt/roost/loadtest/kernel"
	"github.com/roost-rt/roost/loadtest/order"
	"github.com/roost-rt/roost/loadtest/plan"
)

// What the host refuses is not taken, and the plan says why: by default the next kind of
// TCP is, and what was asked for is an error.
func TestTryTCP(t *testing.T) {
	t.Parallel()
	host := kernel.Host{TUN: true, BPF: true, Memory: 1 << 40, FilesHard: 20_000, FileMax: kernel.Unlimited, Cores: 2}
	for _, test := range []struct {
		asked   order.TCP
		refuses []order.TCP
		want    order.TCP
		says    string
	}{
		{"", nil, order.BPF, "they are 100,000 or more"},
		{"", []order.TCP{order.BPF}, order.TUN, "a program in the kernel is not available: no such bpf"},
		{"", []order.TCP{order.BPF, order.TUN}, order.KernelTCP, "no other TCP is available: no such tun"},
		{order.BPF, []order.TCP{order.BPF}, "", "client-tcp: bpf: no such bpf"},
		{order.TUN, []order.TCP{order.BPF}, order.TUN, "it was asked for"},
	} {
		o := options{config: plan.Config{Clients: 100_000, ClientTCP: test.asked, Force: true, ServerCommand: []string{"x"}, ClientCommand: []string{"x"}}}
		err := o.tryTCP(host, func(tcp order.TCP) error {
			if slices.Contains(test.refuses, tcp) {
				return errors.New("no such " + string(tcp))
			}
			return nil
		})
		if test.want == "" {
			if err == nil || !strings.Contains(err.Error(), test.says) {
				t.Errorf("%q: %v, want %q", test.asked, err, test.says)
			}
			continue
		}
		p, planErr := plan.New(o.config, host)
		if err != nil || planErr != nil || p.ClientTCP != test.want || !strings.Contains(strings.Join(p.Why, "\n"), test.says) {
			t.Errorf("%q, refused %v: TCP %s (%v, %v), want %s and %q in\n%s",
				test.asked, test.refuses, p.ClientTCP, err, planErr, test.want, test.says, strings.Join(p.Why, "\n"))
		}
	}
}

// Few clients, and those of servers elsewhere, stay in the host's namespace: what was
// asked for and cannot be is an error, and nothing else is said.
func TestWhoStaysInTheHostsNamespace(t *testing.T) {
	t.Parallel()
	host := kernel.Host{TUN: true, BPF: true}
	for _, tt := range []struct {
		name string
		o    options
		want string // of the error
	}{
		{"few clients", options{netns: auto, config: plan.Config{Clients: 99_999}}, ""},
		{"many, but not asked for", options{netns: no, config: plan.Config{Clients: 1_000_000, ClientTCP: order.KernelTCP}}, ""},
		{"a server elsewhere", options{netns: auto, config: plan.Config{Clients: 1_000_000, URL: "ws://h"}}, ""},
		{"a NATS server elsewhere", options{netns: auto, nats: "nats://h", config: plan.Config{Clients: 1_000_000, ClientTCP: order.KernelTCP}}, ""},
		{"a server elsewhere, and a namespace", options{netns: yes, config: plan.Config{Clients: 10, URL: "ws://h"}}, "-netns yes: a separate network namespace cannot reach -url or -nats"},
		{"NATS elsewhere, and a namespace", options{netns: yes, nats: "nats://h", config: plan.Config{Clients: 10}}, "cannot reach -url or -nats"},
		{"without sockets to a server elsewhere", options{netns: auto, config: plan.Config{Clients: 10, URL: "ws://h", ClientTCP: order.TUN}}, ""},
		{"the same, and a namespace", options{netns: yes, config: plan.Config{Clients: 10, URL: "ws://h", ClientTCP: order.TUN}}, "cannot reach -url or -nats"},
		{"without sockets, and no namespace", options{netns: no, config: plan.Config{Clients: 10, ClientTCP: order.TUN}}, "-client-tcp tun needs a network namespace of its own: -netns no"},
		{"without sockets, and NATS elsewhere", options{netns: auto, nats: "nats://h", config: plan.Config{Clients: 10, ClientTCP: order.BPF}}, "-client-tcp bpf needs a network namespace of its own: -nats cannot be reached from there"},
	} {
		says, err := tt.o.isolate(host)
		if says != "" || (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %q, %v, want %q", tt.name, says, err, tt.want)
		}
	}
	if _, err := (&options{config: plan.Config{ClientTCP: order.TUN}}).isolate(kernel.Host{}); err == nil || !strings.Contains(err.Error(), "client-tcp: tun needs root") {
		t.Errorf("a host without a device: %v", err)
	}
}

// Many clients that may not have a namespace get sockets, and the plan says why.
func TestManyClientsWithoutANamespace(t *testing.T) {
	t.Parallel()
	host := kernel.Host{TUN: true, BPF: true}
	o := options{netns: no, config: plan.Config{Clients: 100_000}}
	says, err := o.isolate(host)
	if err != nil || says != "" || o.config.Refused[order.TUN] == nil || o.config.Refused[order.BPF] == nil {
		t.Fatalf("%q, %v, refused %v, want both kinds of TCP without sockets refused", says, err, o.config.Refused)
	}
	if tcp, why, err := o.config.ChooseTCP(host); tcp != order.KernelTCP || err != nil || !strings.Contains(why, "-client-tcp bpf needs a network namespace of its own: -netns no") {
		t.Errorf("clients have %s because %s, %v", tcp, why, err)
	}
}

// A value of -netns is one of three.
func TestWhether(t *testing.T) {
	t.Parallel()
	for text, good := range map[string]bool{"auto": true, "yes": true, "no": true, "": false, "true": false, "Yes": false} {
		w := whether("before")
		err := w.Set(text)
		if want := map[bool]string{true: text, false: "before"}[good]; (err == nil) != good || w.String() != want {
			t.Errorf("Set(%q) = %v, the value is %s", text, err, w.String())
		}
	}
}
