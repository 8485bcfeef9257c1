package tun

import (
	"fmt"
	"io"
	"strconv"
	"strings"
)

// Dropped is how many packets found the queue full, since the device was made. Who
// sent them does so again, later: then the clients were too slow, not the servers.
func (d *Device) Dropped() (int64, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, err := d.stats.Seek(0, io.SeekStart); err != nil {
		return 0, err
	}
	text, err := io.ReadAll(d.stats)
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		name, counts, _ := strings.Cut(line, ":")
		if strings.TrimSpace(name) != d.name {
			continue
		}
		if fields := strings.Fields(counts); len(fields) >= 12 {
			return strconv.ParseInt(fields[11], 10, 64) // eight of what was received, then bytes, packets, errors, drops
		}
	}
	return 0, fmt.Errorf("%s: no device %s", d.stats.Name(), d.name)
}
