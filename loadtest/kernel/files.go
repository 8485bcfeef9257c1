package kernel

import (
	"crypto/sha256"
	"fmt"
	"strings"
)

// signed is a file with our heading. Its sum tells, without a state, whether
// somebody has edited the file.
func signed(body string) string {
	return "# Written by \"roost tune apply\"; \"roost tune rollback\" removes it unless it was edited.\n" +
		sumLine(body) + "\n" + body
}

func sumLine(body string) string {
	return fmt.Sprintf("# SHA-256 of the rest: %x", sha256.Sum256([]byte(body)))
}

// intact says that the file is as apply wrote it.
func intact(text string) bool {
	_, rest, _ := strings.Cut(text, "\n")
	sum, body, _ := strings.Cut(rest, "\n")
	return sum == sumLine(body)
}

// sysctlText is a file of sysctl.d(5).
func sysctlText(changes []Change) string {
	var b strings.Builder
	for _, c := range changes {
		fmt.Fprintf(&b, "\n# %s; it was %s.\n%s = %s\n", c.Reason, oneLine(c.Old), c.Key, oneLine(c.New))
	}
	return signed(b.String())
}

// unitText is a drop-in for the service, systemd.unit(5).
func unitText(clients Count) string {
	return signed(fmt.Sprintf(`# An example for a unit named roost.service; then "systemctl daemon-reload".

[Service]
# One file for each connection, and some to spare.
LimitNOFILE=%d
# Go's runtime looks after its threads every 20 us while they work; with slack
# that takes less of a broadcast.
TimerSlackNSec=5ms
# Closing all takes about %d s; then systemd kills.
TimeoutStopSec=%d
`, fileLimit(clients), parts(int64(clients), closeRate), max(stopSeconds, 3*parts(int64(clients), closeRate))))
}

// limitsText returns a file of limits.conf(5), which counts at the next login. A limit
// beyond fs.nr_open would lock everyone out.
func limitsText(files int64, nrOpen Count) string {
	if nrOpen.known() {
		files = min(files, int64(nrOpen))
	}
	var b strings.Builder
	fmt.Fprintf(&b, "# Files of a login: one for each client. \"*\" is not for root.\n")
	for _, who := range []string{"*", "root"} {
		fmt.Fprintf(&b, "%-4s  -  nofile  %d\n", who, files)
	}
	return signed(b.String())
}

// fileLimit is RLIMIT_NOFILE for one process with all clients. It is not more
// than what [Settings] has for fs.nr_open.
func fileLimit(clients Count) int64 { return int64(clients) + 100_000 }

// oneLine is a value of /proc/sys with single spaces.
func oneLine(value string) string { return strings.Join(strings.Fields(value), " ") }

// ContainerText says how the settings are made where a container is started: it
// must not, or cannot, make them itself.
func ContainerText(role Role, clients Count) string {
	var docker, pod, host strings.Builder
	var keys []string
	for _, s := range Settings(role, clients) {
		value := oneLine(strings.Trim(fmt.Sprint(s.Value), "[]"))
		if s.Scope == Machine {
			if !isConntrack(s.Key) {
				fmt.Fprintf(&host, "  sysctl -w %s=%q\n", s.Key, value)
			}
			continue
		}
		fmt.Fprintf(&docker, " \\\n    --sysctl %s=%q", s.Key, value)
		fmt.Fprintf(&pod, "    - {name: %s, value: %q}\n", s.Key, value)
		keys = append(keys, s.Key)
	}
	files := fileLimit(clients)
	return fmt.Sprintf(`On the host, for all of its containers:
%s
Docker (without --network host):
  docker run --ulimit nofile=%d:%d%s ...

Kubernetes: a pod cannot set its file limit; it is LimitNOFILE of containerd or
CRI-O on the node. The rest is unsafe to Kubernetes: the kubelet has to allow it.
  securityContext:
    sysctls:
%s  kubelet --allowed-unsafe-sysctls=%s
`, host.String(), files, files, docker.String(), pod.String(), strings.Join(keys, ","))
}
