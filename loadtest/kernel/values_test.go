package kernel

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// What the kernel writes for a number, or for none.
func TestParseCount(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]Count{
		"0": 0, "1": 1, "4611686018427387903": 1<<62 - 1,
		"max": Unlimited, "unlimited": Unlimited,
		"4611686018427387904": Unlimited, "9223372036854771712": Unlimited, "9223372036854775807": Unlimited, "18446744073709551615": Unlimited,
		"-1": Unknown, "-9223372036854775809": Unknown, "": Unknown, "x": Unknown, "1.5": Unknown, " 1": Unknown, "MAX": Unknown,
	} {
		if got := parseCount(text); got != want {
			t.Errorf("%q is %d, want %d", text, got, want)
		}
	}
}

// What is left of what is unknown, or has no bound, is that again.
func TestMinus(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ have, take, want Count }{
		{10, 3, 7}, {10, 10, 0}, {10, 11, 0}, {10, 0, 10}, {0, 1, 0},
		{10, Unknown, 10}, {10, Unlimited, 0},
		{Unlimited, 5, Unlimited}, {Unlimited, Unlimited, Unlimited}, {Unknown, 5, Unknown}, {Unknown, Unknown, Unknown},
	} {
		if got := test.have.minus(test.take); got != test.want {
			t.Errorf("%d less %d is %d, want %d", test.have, test.take, got, test.want)
		}
	}
}

// A count is read back from JSON as it was.
func TestCountInJSON(t *testing.T) {
	t.Parallel()
	for count, want := range map[Count]string{0: "0", 7: "7", 1 << 53: "9007199254740992", Unlimited: `"unlimited"`, Unknown: "null", -5: "null"} {
		text, err := json.Marshal(count)
		if err != nil || string(text) != want {
			t.Errorf("%d is %s in JSON, %v, want %s", count, text, err, want)
		}
		back := Count(99)
		if err := json.Unmarshal(text, &back); err != nil || back != max(count, Unknown) {
			t.Errorf("%s is read as %d, %v", text, back, err)
		}
	}
	for _, bad := range []string{`"many"`, `1.5`, `{}`, `true`} {
		var c Count
		if err := json.Unmarshal([]byte(bad), &c); err == nil {
			t.Errorf("%s is read as %d", bad, c)
		}
	}
}

// Bytes are for people: three digits or four, and the next unit before 1,000.
func TestBytesForPeople(t *testing.T) {
	t.Parallel()
	for n, want := range map[Count]string{
		0: "0 B", 1: "1 B", 999: "999 B", 1000: "1.0 KB", 8303: "8.3 KB", 999_949: "999.9 KB", 999_950: "1.0 MB", 12_000_000_000: "12.0 GB",
		5e15: "5000.0 TB", Unlimited: "unlimited", Unknown: "-",
	} {
		if got := bytes(n); got != want {
			t.Errorf("%d bytes are %s, want %s", n, got, want)
		}
	}
	for _, test := range []struct {
		limit Limit
		n     Count
		want  string
	}{
		{Limit{}, 1234, "1,234"}, {Limit{Unit: "bytes"}, 1234, "1.2 KB"}, {Limit{Unit: "s"}, 90, "90 s"}, {Limit{Unit: "s"}, Unknown, "-"}, {Limit{Unit: "s"}, Unlimited, "unlimited s"},
	} {
		if got := test.limit.amount(test.n); got != test.want {
			t.Errorf("%d in %q is %s, want %s", test.n, test.limit.Unit, got, test.want)
		}
	}
}

// The most clients that a rule has room for is the number before the first that needs
// more, however the need grows.
func TestMostClientsOfARule(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(21, 22))
	for range 300 {
		base, per, step := random.Int64N(50), 1+random.Int64N(9), 1+random.Int64N(100)
		need := func(n int64) int64 { return base + per*n + n/step }
		r := rule{name: "x", have: Count(random.Int64N(5000)), need: need, stops: random.IntN(2) == 0, fix: "more"}
		asked := Count(random.Int64N(2000))
		l := r.judge(asked)
		most := int64(l.Clients)
		if need(most) > int64(r.have) && most > 0 || need(most+1) <= int64(r.have) {
			t.Fatalf("have %d: %d clients at most, which need %d, and one more %d", r.have, most, need(most), need(most+1))
		}
		want := map[bool]Verdict{true: Stop, false: Slow}[r.stops]
		if need(int64(asked)) <= int64(r.have) {
			want = OK
		}
		if l.Verdict != want || (l.Fix == "") != (want == OK) || int64(l.Needed) != need(int64(asked)) {
			t.Fatalf("have %d, %d clients need %d: %+v, want %s", r.have, asked, need(int64(asked)), l, want)
		}
	}
}

// A rule of an unknown number, or without a need, is a note; what has no bound fits
// any number.
func TestNotes(t *testing.T) {
	t.Parallel()
	same := func(n int64) int64 { return n }
	for _, test := range []struct {
		rule    rule
		verdict Verdict
		clients Count
		needed  Count
		reason  string
	}{
		{rule{have: 5, reason: "why"}, Note, Unlimited, Unknown, "why"},
		{rule{have: Unknown, need: same, reason: "why"}, Note, Unlimited, 10, "cannot be read here; why"},
		{rule{have: Unlimited, need: same, reason: "why"}, OK, Unlimited, 10, "why"},
		{rule{have: 10, need: same, reason: "why"}, OK, 10, 10, "why"},
		{rule{have: 9, need: same, reason: "why"}, Slow, 9, 10, "why"},
		{rule{have: 0, need: func(n int64) int64 { return n + 5 }, reason: "why", stops: true}, Stop, 0, 15, "why"},
	} {
		if l := test.rule.judge(10); l.Verdict != test.verdict || l.Clients != test.clients || l.Needed != test.needed || l.Reason != test.reason {
			t.Errorf("have %d: %+v, want %s, %d clients, %d needed, %q", test.rule.have, l, test.verdict, test.clients, test.needed, test.reason)
		}
	}
}

// Values are raised and never lowered, each of its numbers, and left alone where
// nothing is too low or nobody can read them.
func TestRaised(t *testing.T) {
	t.Parallel()
	somaxconn, memory := Setting{Key: "net.core.somaxconn", Value: []int64{100}}, Setting{Key: "net.ipv4.tcp_mem", Value: []int64{10, 20, 30}}
	ports, reuse := Setting{Key: portRange, Value: []int64{1024, 65535}}, Setting{Key: timeWaitReuse, Value: []int64{1}}
	for _, test := range []struct {
		setting   Setting
		old, want string
	}{
		{somaxconn, "99", "100"}, {somaxconn, "100", "100"}, {somaxconn, "101", "101"}, {somaxconn, "", ""}, {somaxconn, "x", "x"}, {somaxconn, "1 2", "1 2"},
		{somaxconn, "18446744073709551615", "18446744073709551615"},
		{memory, "5\t25\t5", "10\t25\t30"}, {memory, "10 20 30", "10 20 30"}, {memory, "1\t2", "1\t2"}, {memory, "5 x 5", "10\tx\t30"},
		{ports, "32768\t60999", "1024\t65535"}, {ports, "1000\t65535", "1000\t65535"}, {ports, "1000 60999", "1000\t65535"}, {ports, "2000\t65535", "1024\t65535"},
		{reuse, "2", "1"}, {reuse, "0", "1"}, {reuse, "1", "1"},
	} {
		if got := test.setting.raised(test.old); got != test.want {
			t.Errorf("%s=%q becomes %q, want %q", test.setting.Key, test.old, got, test.want)
		}
		if again := test.setting.raised(test.setting.raised(test.old)); again != test.setting.raised(test.old) {
			t.Errorf("%s=%q is raised twice: %q", test.setting.Key, test.old, again)
		}
	}
}

// Who listens and who connects get what they need, and what neither needs is said to
// be left out, with a reason.
func TestSettingsOfRoles(t *testing.T) {
	t.Parallel()
	for _, role := range roles {
		keys := make(map[string]bool)
		for _, s := range Settings(role, 1_000_000) {
			if keys[s.Key] || s.Reason == "" || len(s.Value) == 0 || slices.Min(s.Value) <= 0 || s.Scope != Machine && s.Scope != Namespace {
				t.Errorf("%s: %+v", role, s)
			}
			keys[s.Key] = true
			if back := settingOf(s.Key); back.Key != s.Key {
				t.Errorf("%s is not found by its name", s.Key)
			}
		}
		for key, of := range map[string][]Role{
			"net.core.somaxconn": {Servers, Both}, "net.ipv4.tcp_max_syn_backlog": {Servers, Both}, portRange: {Load}, timeWaitReuse: {Load},
			"fs.nr_open": roles, "fs.file-max": roles, "net.ipv4.tcp_mem": roles, "net.netfilter.nf_conntrack_max": roles,
		} {
			if keys[key] != slices.Contains(of, role) {
				t.Errorf("%s has %s: %t", role, key, keys[key])
			}
		}
		for _, o := range Omissions(role) {
			if o.Reason == "" || keys[o.Entry] {
				t.Errorf("%s leaves out %q because of %q, and has it: %t", role, o.Entry, o.Reason, keys[o.Entry])
			}
		}
	}
	if s := settingOf("no.such"); s.Key != "" || s.Value != nil {
		t.Errorf("no.such is %+v", s)
	}
}

// More clients never need less.
func TestSettingsGrow(t *testing.T) {
	t.Parallel()
	for _, role := range roles {
		few := Settings(role, 1000)
		for _, clients := range []Count{10_000, 1_000_000, 100_000_000} {
			more := Settings(role, clients)
			for i := range more {
				for j := range more[i].Value {
					if more[i].Value[j] < few[i].Value[j] {
						t.Errorf("%s: %s is %v for %s clients, and %v for fewer", role, more[i].Key, more[i].Value, clients, few[i].Value)
					}
				}
			}
			few = more
		}
	}
}

// A file of ours is known by its sum; with any change it is somebody else's.
func TestSigned(t *testing.T) {
	t.Parallel()
	for _, body := range []string{"", "x\n", "net.core.somaxconn = 1\n\n# text\n"} {
		text := signed(body)
		if !intact(text) || !strings.HasSuffix(text, body) {
			t.Errorf("%q is not known again", text)
		}
		_, sum, _ := strings.Cut(text, "\n")
		for _, other := range []string{text + "\n", text + "x", strings.Replace(text, "rest: ", "rest:  ", 1), sum, body, ""} {
			if intact(other) {
				t.Errorf("%q is taken for ours", other)
			}
		}
	}
}

// A file of sysctl says what each value was and why it is another.
func TestSysctlText(t *testing.T) {
	t.Parallel()
	text := sysctlText([]Change{{Key: "net.ipv4.tcp_mem", Old: "1\t2\t3\n", New: "4\t5\t6", Reason: "pages"}, {Key: "fs.nr_open", Old: "7", New: "8", Reason: "files"}})
	for _, want := range []string{"\n# pages; it was 1 2 3.\nnet.ipv4.tcp_mem = 4 5 6\n", "\n# files; it was 7.\nfs.nr_open = 8\n"} {
		if !strings.Contains(text, want) {
			t.Errorf("%s\nlacks %q", text, want)
		}
	}
	if !intact(text) {
		t.Error("it is not known as ours")
	}
}

// A login gets no more files than the ceiling lets it have: nobody could log in.
func TestLimitsText(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		files  int64
		nrOpen Count
		want   int64
	}{{1000, 5000, 1000}, {9000, 5000, 5000}, {9000, Unknown, 9000}, {9000, Unlimited, 9000}, {5000, 5000, 5000}} {
		text := limitsText(test.files, test.nrOpen)
		for _, who := range []string{"*   ", "root"} {
			if line := fmt.Sprintf("\n%s  -  nofile  %d\n", who, test.want); !strings.Contains(text, line) || !intact(text) {
				t.Errorf("%d files of %s: %s\nlacks %q", test.files, test.nrOpen, text, line)
			}
		}
	}
}

// Who starts containers is told what is of the host and what of the container.
func TestContainerText(t *testing.T) {
	t.Parallel()
	for _, role := range roles {
		text := ContainerText(role, 1_000_000)
		for _, s := range Settings(role, 1_000_000) {
			host := strings.Contains(text, "  sysctl -w "+s.Key+"=")
			docker := strings.Contains(text, "    --sysctl "+s.Key+"=")
			pod := strings.Contains(text, "    - {name: "+s.Key+", value: ")
			wantHost := s.Scope == Machine && !isConntrack(s.Key)
			if host != wantHost || docker != (s.Scope != Machine) || pod != docker {
				t.Errorf("%s: %s is said of the host %t, of docker %t, of pods %t", role, s.Key, host, docker, pod)
			}
		}
		if !strings.Contains(text, "--ulimit nofile=1100000:1100000") {
			t.Errorf("%s: no limit of files in\n%s", role, text)
		}
	}
}

// Whoever lies in between: some of n things, so many in each, rounded up.
func TestParts(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ n, per, want int64 }{{0, 5, 0}, {1, 5, 1}, {5, 5, 1}, {6, 5, 2}, {10, 1, 10}, {1 << 40, 1 << 20, 1 << 20}} {
		if got := parts(test.n, test.per); got != test.want {
			t.Errorf("%d by %d are %d, want %d", test.n, test.per, got, test.want)
		}
	}
}

// What a demand takes: ends, processes, files and memory.
func TestDemands(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name                     string
		demand                   Demand
		files                    Count
		n                        int64
		servers, processes, open int64
		perClient                int64
	}{
		{"servers alone", Demand{}, 10_200, 25_000, 3, 3, 25_000 + 3*ownFiles, endBytes},
		{"one server", Demand{Single: true}, 10_200, 25_000, 1, 1, 25_000 + ownFiles, endBytes},
		{"both", Demand{SameHost: true}, 10_200, 25_000, 3, 6, 50_000 + 6*ownFiles, 2 * endBytes},
		{"no clients yet", Demand{SameHost: true}, 10_200, 0, 1, 2, 2 * ownFiles, 2 * endBytes},
		{"clients alone", Demand{Remote: true}, 10_200, 25_000, 0, 3, 25_000 + 3*ownFiles, endBytes},
		{"clients that are users", Demand{Remote: true, Users: true}, 10_200, 1, 0, 1, 1 + ownFiles, endBytes + userBytes},
		{"users with TLS", Demand{Remote: true, Users: true, TLS: true}, 10_200, 1, 0, 1, 1 + ownFiles, endBytes + userBytes + userTLSBytes},
		{"clients with TLS", Demand{Remote: true, TLS: true}, 10_200, 1, 0, 1, 1 + ownFiles, endBytes + tlsBytes},
		{"servers of users elsewhere", Demand{Users: true, TLS: true}, 10_200, 1, 1, 1, 1 + ownFiles, endBytes},
		{"clients without sockets", Demand{SameHost: true, OneEnd: true}, 10_200, 25_000, 3, 4, 25_000 + 4*ownFiles, endBytes + virtualBytes},
		{"few files", Demand{}, 100, 10, 10, 10, 10 + 10*ownFiles, endBytes},
	} {
		l := layout{test.demand, test.files}
		if got := l.servers(test.n); got != test.servers {
			t.Errorf("%s: %d servers, want %d", test.name, got, test.servers)
		}
		if got := l.processes(test.n); got != test.processes {
			t.Errorf("%s: %d processes, want %d", test.name, got, test.processes)
		}
		if got := l.openFiles(test.n); got != test.open {
			t.Errorf("%s: %d open files, want %d", test.name, got, test.open)
		}
		if got := l.perClient(); got != test.perClient {
			t.Errorf("%s: %d bytes for a client, want %d", test.name, got, test.perClient)
		}
		if got, want := l.memory(test.n), test.n*test.perClient+test.processes*processBytes; got != want {
			t.Errorf("%s: %d bytes, want %d", test.name, got, want)
		}
		l.Clients = 1 << 20 // the processes of those asked for are there from the start
		if got, want := l.memory(1), test.perClient+l.processes(1<<20)*processBytes; got != want {
			t.Errorf("%s: one of many takes %d bytes, want %d", test.name, got, want)
		}
		if less := l.memory(1) - l.charged(1); less != map[bool]int64{true: 0, false: endBytes - acceptedBytes}[test.demand.Remote] {
			t.Errorf("%s: %d bytes are charged to nobody", test.name, less)
		}
	}
}

// A demand says its role, and is found by it.
func TestRoles(t *testing.T) {
	t.Parallel()
	for _, role := range roles {
		parsed, err := ParseRole(string(role))
		if err != nil || parsed != role || (Demand{SameHost: true, Remote: true}).As(role).role() != role || role.Says() == "" {
			t.Errorf("%s is read as %s, %v, and is that of %s", role, parsed, err, Demand{}.As(role).role())
		}
	}
	if _, err := ParseRole("Server"); err == nil || !strings.Contains(err.Error(), "want server, load or both") {
		t.Errorf("Server is a role: %v", err)
	}
}

// Sentences are wrapped at words, within the width, and lose none.
func TestWrap(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(31, 32))
	for range 200 {
		var words []string
		for range 1 + random.IntN(60) {
			words = append(words, strings.Repeat("é", 1+random.IntN(14)))
		}
		indent := strings.Repeat(" ", random.IntN(8))
		var b strings.Builder
		wrap(&b, indent, strings.Join(words, "  "))
		for line := range strings.Lines(b.String()) {
			if n := len([]rune(strings.TrimSuffix(line, "\n"))); n > columns || !strings.HasPrefix(line, indent) {
				t.Fatalf("a line of %d: %q", n, line)
			}
		}
		if got := strings.Fields(b.String()); !slices.Equal(got, words) {
			t.Fatalf("%d words of %d", len(got), len(words))
		}
	}
	long := strings.Repeat("x", 2*columns)
	var b strings.Builder
	wrap(&b, "  ", long+" y")
	if b.String() != "  "+long+"\n  y\n" {
		t.Errorf("a word that is too long: %q", b.String())
	}
}

// The verdict of a report is that of its worst limit, and the sentence names it.
func TestSentences(t *testing.T) {
	t.Parallel()
	first := &Limit{Name: "fs.nr_open", Scope: Machine, Clients: 5000, Now: 5000, Needed: 9000, Fix: "raise it"}
	for _, test := range []struct {
		report  Report
		verdict Verdict
		text    string
		refusal string
	}{
		{Report{Clients: 1000, Enough: true}, OK, "Enough for 1,000 clients. No limit is known.", ""},
		{Report{Clients: 1000, Enough: true, First: first, Limits: []Limit{{Verdict: OK}, {Verdict: Note}}}, OK, "Enough for 1,000 clients. The first limit is fs.nr_open (host), at 5,000.", ""},
		{Report{Clients: 1000, Enough: true, First: first, Limits: []Limit{{Name: "a", Verdict: Slow}, {Name: "b", Verdict: OK}, {Name: "c", Verdict: Slow}}}, Slow,
			"All 1,000 clients can connect, but lose time because of a, c. The first limit is fs.nr_open (host), at 5,000.", ""},
		{Report{Clients: 9000, First: first, Limits: []Limit{{Name: "a", Verdict: Slow}, {Verdict: Stop}}}, Stop,
			"First limit: fs.nr_open (host), at 5,000 clients. Asked for: 9,000.", "fs.nr_open (host) is enough for 5,000: it is 5,000, 9,000 is needed; raise it"},
	} {
		if got := test.report.Verdict(); got != test.verdict {
			t.Errorf("verdict %s, want %s", got, test.verdict)
		}
		if got := test.report.Sentence(); got != test.text {
			t.Errorf("%q, want %q", got, test.text)
		}
		if got := test.report.Refusal(); got != test.refusal {
			t.Errorf("refused with %q, want %q", got, test.refusal)
		}
	}
	if int64(mostClients) > math.MaxInt64/endBytes {
		t.Error("the memory of the most clients is no number")
	}
}
