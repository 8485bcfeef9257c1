package phx

// AtEnd calls do once the channel has ended, for whatever reason, after
// Terminate: on the worker pool, before any other callback of a channel that
// takes its place. It also calls do for a join that is refused. If the channel
// has already ended, it calls do at once. Functions run in reverse order of
// their registration.
//
// It lets a package such as presence clean up after channels that are not its
// own. One function shared by all channels costs 48 bytes for each; a Context
// costs about ten times that.
func (ch *Channel) AtEnd(do func(*Channel)) {
	ch.mu.Lock()
	if ch.phase == closed {
		ch.mu.Unlock()
		do(ch)
		return
	}
	defer ch.mu.Unlock()
	extra := ch.extraLocked()
	if before := extra.atEnd; before != nil {
		last := do
		do = func(ch *Channel) {
			defer before(ch) // although last may panic
			last(ch)
		}
	}
	extra.atEnd = do
}

// seesItsEnd reports whether anybody waits for Terminate or what comes after it. The
// channel is locked.
func (ch *Channel) seesItsEnd() bool {
	return ch.route().Type.Terminate != nil || ch.services().hooks.Ended != nil || ch.extra != nil && ch.extra.atEnd != nil
}

// finish is the last of a channel that has ended. Turn only.
func (ch *Channel) finish() {
	ch.mu.Lock()
	ch.phase = closed
	var do func(*Channel)
	if ch.extra != nil {
		do, ch.extra.atEnd = ch.extra.atEnd, nil
	}
	ch.mu.Unlock()
	if do == nil {
		return
	}
	var err error
	func() {
		defer contain(&err)
		do(ch)
	}()
	if err != nil {
		ch.reportCrash("a function given to AtEnd crashed", err)
	}
}
