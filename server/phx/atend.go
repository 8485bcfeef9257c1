package phx

// AtEnd has do called once the channel has ended, however it did, after Terminate: on
// the worker pool, before any other callback of a channel that takes its place. For
// a join that is refused it is called too. If the channel has ended, do is called at
// once. Of several, the last given is called first.
//
// It is for what a package keeps for channels that are not its own, as package
// presence does. One function for all channels costs each 48 bytes, a Context some
// ten times that.
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
