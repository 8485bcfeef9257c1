package phx

// An EndWatcher is told of channels that have ended. Those given to AtEnd are
// compared with ==, so it should be a pointer.
type EndWatcher interface {
	ChannelEnded(ch *Channel)
}

// watchers are those of one channel, or of many that have the same.
type watchers struct {
	EndWatcher
	before *watchers // or nil
}

// AtEnd has w told once the channel has ended, for whatever reason, after
// Terminate: on the worker pool, before any other callback of a channel that
// takes its place. It is also told of a join that is refused. If the channel
// has already ended, it is told at once. Watchers are told in reverse order of
// their registration, each once, however often it was given.
//
// It lets a package such as presence clean up after channels that are not its
// own. One watcher of many channels takes no memory for each; a Context takes
// some hundreds of bytes.
func (ch *Channel) AtEnd(w EndWatcher) {
	ch.mu.Lock()
	if ch.phase == closed {
		ch.mu.Unlock()
		w.ChannelEnded(ch)
		return
	}
	defer ch.mu.Unlock()
	if ch.extra == nil {
		ch.extra = ch.services().watchedBy(w)
		return
	}
	for known := ch.extra.watchers; known != nil; known = known.before {
		if known.EndWatcher == w {
			return
		}
	}
	extra := ch.extraLocked()
	extra.watchers = &watchers{w, extra.watchers}
}

// watchedBy returns the channelExtra that is shared by all channels with only this watcher.
func (s *services) watchedBy(w EndWatcher) *channelExtra {
	x := s.watched.Load()
	if x == nil || x.watchers.EndWatcher != w {
		x = &channelExtra{watchers: &watchers{w, nil}}
		s.watched.Store(x)
	}
	return x
}

// seesItsEnd reports whether anybody waits for Terminate or what comes after it. The
// channel is locked.
func (ch *Channel) seesItsEnd() bool {
	return ch.route().Type.Terminate != nil || ch.services().hooks.Ended != nil || ch.extra != nil && ch.extra.watchers != nil
}

// finish is the last of a channel that has ended. Turn only.
func (ch *Channel) finish() {
	ch.mu.Lock()
	ch.phase = closed
	var all *watchers
	switch x := ch.extra; {
	case x == nil:
	case x.bare():
		all, ch.extra = x.watchers, nil
	default:
		all, x.watchers = x.watchers, nil
	}
	ch.mu.Unlock()
	ch.tellEnd(all)
}

func (ch *Channel) tellEnd(w *watchers) {
	if w == nil {
		return
	}
	defer ch.tellEnd(w.before) // although this one may end the goroutine
	var err error
	func() {
		defer contain(&err)
		w.ChannelEnded(ch)
	}()
	if err != nil {
		ch.reportCrash("a watcher given to AtEnd crashed", err)
	}
}
