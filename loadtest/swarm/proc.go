package swarm

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// numbers reads a file of whitespace and n numbers.
func numbers(path string, n int) ([]int, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	fields := strings.Fields(string(text))
	if len(fields) < n {
		return nil, fmt.Errorf("read %s: %d numbers, want %d", path, len(fields), n)
	}
	list := make([]int, n)
	for i := range list {
		v, err := strconv.ParseUint(fields[i], 10, 64)
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", path, err)
		}
		list[i] = int(min(v, 1<<40)) // file-max may be the largest there is
	}
	return list, nil
}

// meminfo reads one line of /proc/meminfo, in bytes.
func meminfo(name string) (int64, error) {
	text, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if len(fields) >= 2 && fields[0] == name {
			kb, err := strconv.ParseInt(fields[1], 10, 64)
			return kb << 10, err
		}
	}
	return 0, fmt.Errorf("read /proc/meminfo: no %s", name)
}
