package kernel

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// A Root is the folder that /proc, /sys, /etc and /var are in: "/" except in tests.
type Root string

func (r Root) path(name string) string { return filepath.Join(string(r), name) }

// text is the file without the white space around it.
func (r Root) text(name string) (string, error) {
	b, err := os.ReadFile(r.path(name))
	return strings.TrimSpace(string(b)), err
}

// numbers are those that a file of nothing else holds, nil if it cannot be read.
func (r Root) numbers(name string) []int64 {
	text, err := r.text(name)
	if err != nil {
		return nil
	}
	var list []int64
	for field := range strings.FieldsSeq(text) {
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil && !overflows(err) { // fs.file-max may be the largest uint64 there is
			return nil
		}
		list = append(list, n)
	}
	return list
}

// count returns the number at index i of such a file, Unknown if there is none.
func (r Root) count(name string, i int) Count {
	if list := r.numbers(name); i < len(list) {
		return Count(list[i])
	}
	return Unknown
}

// field returns the number after a name at the start of a line, as /proc/meminfo and
// memory.stat have it. It is Unknown if there is none.
func (r Root) field(file, name string) Count {
	text, err := r.text(file)
	if err != nil {
		return Unknown
	}
	for line := range strings.Lines(text) {
		if f := strings.Fields(line); len(f) >= 2 && f[0] == name {
			return parseCount(f[1])
		}
	}
	return Unknown
}

// sysctl is the file of a key such as net.core.somaxconn.
func sysctl(key string) string { return "proc/sys/" + strings.ReplaceAll(key, ".", "/") }

// Sysctl is the value of a key as it stands in its file.
func (r Root) Sysctl(key string) (value string, err error) { return r.text(sysctl(key)) }

func (r Root) sysctl(key string) Count { return r.count(sysctl(key), 0) }

// A mount is one line of /proc/self/mountinfo, proc_pid_mountinfo(5).
type mount struct {
	root, point string
	readOnly    bool
	kind        string
	options     []string // of the file system; a cgroup v1 mount names its controllers
}

func (r Root) mounts() ([]mount, error) {
	text, err := r.text("proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	var list []mount
	for line := range strings.Lines(text) {
		before, after, found := strings.Cut(line, " - ")
		b, a := strings.Fields(before), strings.Split(strings.TrimSuffix(after, "\n"), " ") // a source may be empty
		if !found || len(b) < 6 || len(a) < 3 {
			return nil, fmt.Errorf("read /proc/self/mountinfo: malformed line %q", line)
		}
		list = append(list, mount{
			root: b[3], point: b[4], readOnly: strings.HasPrefix(b[5]+",", "ro,"),
			kind: a[0], options: strings.Split(a[2], ","),
		})
	}
	return list, nil
}
