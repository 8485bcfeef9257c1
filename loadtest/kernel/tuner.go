package kernel

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
)

// The files of a Tuner.
const (
	SysctlFile = "/etc/sysctl.d/90-roost.conf"
	UnitFile   = "/etc/systemd/system/roost.service.d/90-roost.conf"
	LimitsFile = "/etc/security/limits.d/90-roost.conf" // of a load machine, instead of UnitFile
	StateFile  = "/var/lib/roost/tune.json"
)

// Errors of a Tuner.
var (
	// ErrForeignFile: a file that Apply would write exists, and is not ours.
	ErrForeignFile = errors.New("not written by tune")
	// ErrNotApplied: there is nothing to roll back.
	ErrNotApplied = errors.New("nothing is applied")
	// ErrState: the old values cannot be read.
	ErrState = errors.New("the old values cannot be read")
	// ErrLeft: something was left as it is. Out has been told what, and why.
	ErrLeft = errors.New("not touched")
)

// A Tuner raises sysctls, remembers what they were, and restores them. It says
// on Out what it changes.
type Tuner struct {
	Root Root
	Out  io.Writer

	Role      Role  // of the host; empty means Both
	Addresses Count // as in Demand
}

// Diff says what Apply would change.
func (t Tuner) Diff(clients Count) (Diff, error) {
	return t.Root.diff(Demand{Clients: clients, Addresses: t.Addresses}.As(cmp.Or(t.Role, Both)))
}

// Apply raises what is too low for clients and may be touched from here, and
// writes the files that keep it so. Applied again, it raises further, keeps the
// old values that were not its own, and writes files that are missing: the last
// Apply may have been killed. A setting that the kernel refuses is in the error;
// the others are set.
func (t Tuner) Apply(clients Count) (Diff, error) {
	d, err := t.Diff(clients)
	if err != nil {
		return d, err
	}
	state, err := t.Root.readState()
	switch {
	case err != nil:
		return d, err
	case state == nil && len(d.Changes) == 0:
		return d, nil
	case state == nil:
		state = &State{}
	}
	if why := d.Place.elsewhere(state.Net); why != "" {
		return d, fmt.Errorf("%s: %w: %s, and roll it back", t.Root.path(StateFile), ErrLeft, why)
	}
	perProcess, text := UnitFile, unitText(max(clients, state.Clients))
	if d.Role == Load {
		perProcess, text = LimitsFile, limitsText(fileLimit(max(clients, state.Clients)), t.Root.sysctl("fs.nr_open"))
	}
	for _, name := range []string{SysctlFile, perProcess} {
		if err := t.Root.claim(name, state); err != nil {
			return d, err
		}
	}
	state.merge(d)
	if err := t.Root.writeState(state); err != nil { // before the first change: a crash loses no old value
		return d, err
	}
	return d, errors.Join(
		t.set(d.Changes, state),
		t.write(SysctlFile, sysctlText(t.inForce(state.Changes))),
		t.write(perProcess, text))
}

// set makes the changes, those after one that fails, too.
func (t Tuner) set(changes []Change, state *State) (err error) {
	for _, c := range changes {
		setErr := t.Root.set(c.Key, c.New)
		if setErr == nil {
			fmt.Fprintln(t.Out, c)
			continue
		}
		err = errors.Join(err, setErr)
		if now, readErr := t.Root.text(sysctl(c.Key)); readErr == nil && !sameValue(now, c.Old) {
			state.took(c.Key, now)
			err = errors.Join(err, t.Root.writeState(state))
		}
	}
	return err
}

// inForce returns the changes that the kernel took and no one has altered since.
func (t Tuner) inForce(all []Change) []Change {
	return slices.DeleteFunc(slices.Clone(all), func(c Change) bool {
		now, err := t.Root.text(sysctl(c.Key))
		return err == nil && !sameValue(now, c.New)
	})
}

// write does nothing if the file has that text, or somebody's.
func (t Tuner) write(name, text string) error {
	now, err := os.ReadFile(t.Root.path(name))
	switch {
	case err == nil && string(now) == text:
		return nil
	case err == nil && !intact(string(now)):
		return t.left(name, "it was edited since; move it away and apply again to have it written")
	}
	if err := t.Root.write(name, text); err != nil {
		return err
	}
	fmt.Fprintf(t.Out, "wrote %s\n", t.Root.path(name))
	return nil
}

// A Status tells which changes are applied, and what happened to them.
type Status struct {
	State   *State   // nil if nothing is applied
	Drifted []Change // New is the present value
	Missing []string // files that are gone
	Edited  []string // files that somebody has edited

	// Elsewhere tells why nothing was compared, "" if it was: the values here belong to
	// another place than State's.
	Elsewhere string
}

// Status compares what was applied with what is.
func (t Tuner) Status() (Status, error) {
	state, err := t.Root.readState()
	if err != nil || state == nil {
		return Status{}, err
	}
	p, err := t.Root.place()
	if err != nil {
		return Status{}, err
	}
	s := Status{State: state, Elsewhere: p.elsewhere(state.Net)}
	if s.Elsewhere != "" {
		return s, nil
	}
	for _, c := range state.Changes {
		now, err := t.Root.text(sysctl(c.Key))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return s, err
		}
		if !sameValue(now, c.New) {
			s.Drifted = append(s.Drifted, Change{Key: c.Key, Old: c.New, New: now, Reason: c.Reason})
		}
	}
	for _, name := range state.Files {
		switch text, err := os.ReadFile(t.Root.path(name)); {
		case errors.Is(err, fs.ErrNotExist):
			s.Missing = append(s.Missing, name)
		case err != nil:
			return s, err
		case !intact(string(text)):
			s.Edited = append(s.Edited, name)
		}
	}
	return s, nil
}

// claim notes a file as ours. It fails if the file is there and not written by
// Apply.
func (r Root) claim(name string, s *State) error {
	if slices.Contains(s.Files, name) {
		return nil
	}
	text, err := os.ReadFile(r.path(name))
	switch {
	case err == nil && !intact(string(text)):
		return fmt.Errorf("%s: %w; move it away first", r.path(name), ErrForeignFile)
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return err
	}
	s.Files = append(s.Files, name)
	return nil
}
