package kernel

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
)

// Rollback takes back what Apply did. It leaves alone what somebody else has
// changed since, a value or a file. That, and a value that it cannot restore or
// cannot see from here, stays in the state: Rollback can be repeated until
// nothing is left.
func (t Tuner) Rollback() error {
	state, err := t.Root.readState()
	if err != nil {
		return err
	}
	if state == nil {
		return ErrNotApplied
	}
	p, err := t.Root.place()
	if err != nil {
		return err
	}
	if why := p.elsewhere(state.Net); why != "" {
		for _, c := range state.Changes {
			t.left(c.Key, "it was "+oneLine(c.Old))
		}
		return fmt.Errorf("%w: %s", ErrLeft, why)
	}
	left := *state
	left.Changes, left.Files = nil, nil
	for _, c := range slices.Backward(state.Changes) {
		if restoreErr := t.restore(c, p); restoreErr != nil {
			err = errors.Join(err, restoreErr)
			left.Changes = append(left.Changes, c)
		}
	}
	slices.Reverse(left.Changes)
	for _, name := range state.Files {
		if removeErr := t.removeIntact(name); removeErr != nil {
			err = errors.Join(err, removeErr)
			left.Files = append(left.Files, name)
		}
	}
	if err == nil {
		return t.remove(StateFile) // the last: until then this can be repeated
	}
	return errors.Join(err, t.Root.writeState(&left))
}

// restore sets one value back.
func (t Tuner) restore(c Change, p Place) error {
	now, err := t.Root.text(sysctl(c.Key))
	switch {
	case errors.Is(err, fs.ErrNotExist) && isConntrack(c.Key): // a module that was unloaded takes its sysctls with it
		fmt.Fprintf(t.Out, "%s is gone\n", c.Key)
		return nil
	case errors.Is(err, fs.ErrNotExist):
		return t.left(c.Key, "it was "+oneLine(c.Old)+"; it cannot be seen from here, so run this on the host, where nothing hides /proc/sys")
	case err != nil:
		return err
	case sameValue(now, c.Old): // Apply could not write it, or an earlier Rollback did: the kernel may refuse even this
		return nil
	case !c.ours(now):
		return t.left(c.Key, fmt.Sprintf("somebody set it to %[1]s since; apply had changed it from %[3]s to %[2]s. Set it to one of these and roll back again", oneLine(now), oneLine(c.New), oneLine(c.Old)))
	}
	if err := t.Root.set(c.Key, c.Old); err != nil {
		if why := p.refusal(settingOf(c.Key)); why != "" {
			return fmt.Errorf("%w; %s: run this on the host", err, why)
		}
		return err
	}
	fmt.Fprintf(t.Out, "%s: %s -> %s\n", c.Key, oneLine(now), oneLine(c.Old))
	return nil
}

// left says that something was left as it is, and returns that as an error.
func (t Tuner) left(what, why string) error {
	fmt.Fprintf(t.Out, "left alone: %s: %s\n", what, why)
	return fmt.Errorf("%s: %w", what, ErrLeft)
}

// removeIntact removes a file unless someone has edited it.
func (t Tuner) removeIntact(name string) error {
	text, err := os.ReadFile(t.Root.path(name))
	if err == nil && !intact(string(text)) {
		return t.left(name, "it was edited since; move it away and roll back again")
	}
	return t.remove(name)
}

func (t Tuner) remove(name string) error {
	if err := os.Remove(t.Root.path(name)); errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return err
	}
	fmt.Fprintf(t.Out, "removed %s\n", t.Root.path(name))
	return nil
}
