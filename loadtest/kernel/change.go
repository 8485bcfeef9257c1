package kernel

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
)

// A Change is one sysctl from its old value to a higher one.
type Change struct {
	Key    string `json:"key"`
	Old    string `json:"old"` // as it was in /proc/sys, byte for byte except the end of the line
	New    string `json:"new"`
	Reason string `json:"reason"`

	// Earlier are the values that Apply left there before New.
	Earlier []string `json:"earlier,omitempty"`
}

// ours reports whether Apply left that value, and no one else.
func (c Change) ours(value string) bool {
	return sameValue(value, c.New) || slices.ContainsFunc(c.Earlier, func(e string) bool { return sameValue(value, e) })
}

// String is one line for people.
func (c Change) String() string {
	return fmt.Sprintf("%s: %s -> %s  (%s)", c.Key, oneLine(c.Old), oneLine(c.New), c.Reason)
}

// A Refusal is a sysctl that is too low, or not to be seen, and must be set
// elsewhere.
type Refusal struct {
	Setting
	Why string
}

// A Diff tells which changes a number of clients needs.
type Diff struct {
	Clients  Count
	Role     Role
	Report   Report // of the host as it is
	Place    Place
	Changes  []Change
	Refusals []Refusal
}

// diff returns the limits that Check finds too low for a demand. A limit that the machine
// does not have, such as conntrack's, needs no change.
func (r Root) diff(demand Demand) (Diff, error) {
	clients, role := demand.Clients, demand.role()
	p, err := r.place()
	if err != nil {
		return Diff{}, err
	}
	h, err := Read(r)
	if err != nil {
		return Diff{}, err
	}
	d := Diff{Clients: clients, Role: role, Report: Check(h, demand), Place: p}
	needed := h.tooLow(demand)
	for _, s := range Settings(role, clients) {
		old, err := r.text(sysctl(s.Key))
		switch {
		case errors.Is(err, fs.ErrNotExist):
			if s.Scope == Machine && !p.FirstNet && !isConntrack(s.Key) {
				d.Refusals = append(d.Refusals, Refusal{s, p.refusal(s)})
			}
			continue
		case err != nil:
			return d, err
		}
		need, low := needed[s.Key]
		if !low {
			continue
		}
		if last := len(s.Value) - 1; !s.connects() {
			s.Value[last] = max(s.Value[last], int64(need)) // others may have taken more than there is to spare
		}
		next := s.raised(old)
		if sameValue(next, old) {
			continue
		}
		if why := p.refusal(s); why != "" {
			d.Refusals = append(d.Refusals, Refusal{s, why})
			continue
		}
		d.Changes = append(d.Changes, Change{Key: s.Key, Old: old, New: next, Reason: s.Reason})
	}
	return d, nil
}

// tooLow returns the limits that are slow or in the way, with the need of each. It asks
// h as if no one were exempt, because the owner of the servers is not known.
func (h Host) tooLow(d Demand) map[string]Count {
	h.FilesExempt = false
	needed := make(map[string]Count)
	for _, l := range Check(h, d).Limits {
		if l.Verdict == Slow || l.Verdict == Stop {
			needed[l.Name] = l.Needed
		}
	}
	// A note to Check, as more processes do. But the drop-in asks for one that
	// holds all, and cannot have more than this.
	if need := Count(fileLimit(d.Clients)); !d.Remote && h.NrOpen.known() && h.NrOpen < need {
		needed["fs.nr_open"] = need
	}
	return needed
}

// isConntrack: the module may be missing on the host, too, and is not wished for.
func isConntrack(key string) bool { return key == "net.netfilter.nf_conntrack_max" }

// set writes a sysctl and reads it back: the kernel may take less than it was
// given, without an error.
func (r Root) set(key, value string) error {
	f, err := os.OpenFile(r.path(sysctl(key)), os.O_WRONLY|os.O_TRUNC, 0) // never O_CREATE: a sysctl is there or not
	if err != nil {
		return err
	}
	_, err = f.WriteString(value + "\n")
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("set %s to %q: %w", key, value, err)
	}
	now, err := r.text(sysctl(key))
	if err != nil {
		return err
	}
	if !sameValue(now, value) {
		return fmt.Errorf("set %s to %q: it is %q", key, value, now)
	}
	return nil
}
