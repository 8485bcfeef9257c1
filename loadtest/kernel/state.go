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

// A State is what Apply did, kept until Rollback.
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
	if err := json.Unmarshal(b, &s); err != nil {
		return nil, fmt.Errorf("read %s: %w", r.path(StateFile), err)
	}
	if s.Version != stateVersion {
		return nil, fmt.Errorf("read %s: version %d, want %d", r.path(StateFile), s.Version, stateVersion)
	}
	return &s, nil
}

func (r Root) writeState(s *State) error {
	b, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	return r.write(StateFile, string(b)+"\n")
}

// write replaces a file, whole or not at all, and makes its folder.
func (r Root) write(name, text string) error {
	path := r.path(name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	next := path + ".new"
	if err := os.WriteFile(next, []byte(text), 0o644); err != nil {
		return err
	}
	return os.Rename(next, path)
}
