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
