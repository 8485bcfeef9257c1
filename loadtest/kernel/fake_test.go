package kernel_test

import (
	"maps"
	"os"
	"path/filepath"
	"testing"

	"github.com/roost-rt/roost/loadtest/kernel"
)

// A machine is files by path. An empty text is no file.
type machine map[string]string

// bigMachine holds two million clients with both ends, in one process.
func bigMachine() machine {
	return machine{
		"proc/self/limits":                          "Limit                     Soft Limit           Hard Limit           Units\nMax open files            1024                 3000000              files\n",
		"proc/self/cgroup":                          "0::/\n",
		"proc/self/mountinfo":                       "22 27 0:21 / /proc rw,relatime - proc proc rw\n41 31 0:38 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n",
		"proc/self/uid_map":                         "         0          0 4294967295\n",
		"proc/meminfo":                              "MemTotal:       99000000 kB\nMemAvailable:   64000000 kB\n",
		"proc/loadavg":                              "0.40 0.57 0.25 7/156 6067\n",
		"proc/sys/fs/nr_open":                       "4200000\n",
		"proc/sys/fs/file-nr":                       "1000\t0\t9223372036854775807\n",
		"proc/sys/fs/file-max":                      "9223372036854775807\n",
		"proc/sys/fs/epoll/max_user_watches":        "9000000\n",
		"proc/sys/net/ipv4/ip_local_port_range":     "32768\t60999\n",
		"proc/sys/net/ipv4/ip_local_reserved_ports": "\n",
		"proc/sys/net/netfilter/nf_conntrack_max":   "9000000\n",
		"proc/sys/net/netfilter/nf_conntrack_count": "44\n",
		"proc/sys/net/core/somaxconn":               "65535\n",
		"proc/sys/net/core/netdev_max_backlog":      "300000\n",
		"proc/sys/net/ipv4/tcp_syncookies":          "1\n",
		"proc/sys/net/ipv4/tcp_max_syn_backlog":     "65535\n",
		"proc/sys/net/ipv4/tcp_mem":                 "1000000\t2500000\t4000000\n",
		"proc/sys/net/ipv4/tcp_max_orphans":         "262144\n",
		"proc/sys/net/ipv4/tcp_max_tw_buckets":      "131072\n",
		"proc/sys/net/ipv4/tcp_ehash_entries":       "8388608\n",
		"proc/sys/kernel/threads-max":               "192730\n",
		"proc/sys/kernel/pid_max":                   "4194304\n",
	}
}

// with is m with some files replaced.
func (m machine) with(changes machine) machine {
	m = maps.Clone(m)
	maps.Copy(m, changes)
	return m
}

func (m machine) write(t *testing.T) kernel.Root {
	t.Helper()
	root := t.TempDir()
	for name, text := range m {
		if text == "" {
			continue
		}
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return kernel.Root(root)
}

// host is what Read says of m, with two processors.
func (m machine) host(t *testing.T) kernel.Host {
	t.Helper()
	h, err := kernel.Read(m.write(t))
	if err != nil {
		t.Fatal(err)
	}
	h.Cores = 2
	return h
}
