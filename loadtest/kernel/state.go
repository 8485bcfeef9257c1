package kernel

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// stateVersion is of the format below.
const stateVersion = 1

// A State records the work of Apply, until Rollback.
type State struct {
	Version int      `json:"version"`
	Clients Count    `json:"clients"`
	Net     string   `json:"net,omitempty"` // as in Place: where the changes are
	Changes []Change `json:"changes"`       // Old is from before the first Apply, or somebody else's since
	Files   []string `json:"files"`         // that were written, absolute
}

// merge adds the changes of another Apply.
func (s *State) merge(d Diff) {
	s.Version, s.Clients, s.Net = stateVersion, max(s.Clients, d.Clients), d.Place.Net
	for _, c := range d.Changes {
		i := slices.IndexFunc(s.Changes, func(k Change) bool { return k.Key == c.Key })
		if i < 0 {
			s.Changes = append(s.Changes, c)
			continue
		}
		k := &s.Changes[i]
		if !k.ours(c.Old) {
			k.Old = c.Old
		}
		k.Earlier = append(k.Earlier, k.New)
		k.New, k.Reason = c.New, c.Reason
	}
}

// took notes that the kernel made another value of what it was given.
func (s *State) took(key, value string) {
	for i, c := range s.Changes {
		if c.Key == key && !c.ours(value) {
			s.Changes[i].Earlier = append(c.Earlier, value)
		}
	}
}

// readState returns nil if nothing is applied.
func (r Root) readState() (*State, error) {
	b, err := os.ReadFile(r.path(StateFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	var s State
	err = json.Unmarshal(b, &s)
	switch {
	case err == nil && s.Version == stateVersion:
		return &s, nil
	case err == nil && s.Version > stateVersion:
		return nil, fmt.Errorf("read %s: %w: version %d is of a newer loadtest; use that one", r.path(StateFile), ErrState, s.Version)
	case len(b) == 0:
		err = errors.New("it is empty")
	case err == nil:
		err = fmt.Errorf("version %d", s.Version)
	}
	return nil, fmt.Errorf("read %s: %w, it is damaged (%w).\nThe comments in %s name each old value (\"it was\"): set those with sysctl -w, or move that file and %s away and boot. Then remove %s",
		r.path(StateFile), ErrState, err, r.path(SysctlFile), r.path(UnitFile), r.path(StateFile))
}

func (r Root) writeState(s *State) error {
	b, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	return r.write(StateFile, string(b)+"\n")
}

// write replaces a file, whole or not at all even if the power fails, and makes
// its folder.
func (r Root) write(name, text string) error {
	path := r.path(name)
	folder := filepath.Dir(path)
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	next := path + ".new"
	if err := os.WriteFile(next, []byte(text), 0o644); err != nil {
		return err
	}
	// Without the first, the new name may come to lie on an empty file; without
	// the second, the values may be changed and the file not there.
	if err := synced(next); err != nil {
		return err
	}
	if err := os.Rename(next, path); err != nil {
		return err
	}
	return synced(folder)
}

// synced waits until a file or a folder is on disk.
func synced(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
