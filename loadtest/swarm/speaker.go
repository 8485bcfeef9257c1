package swarm

import "slices"

// appointLocked makes a joined client speak for its room if somebody is missing.
func (g *group) appointLocked(c *client) {
	if g.vacant == 0 || g.speaksLocked(c) {
		return
	}
	g.speakers[slices.Index(g.speakers, nil)] = c
	g.vacant--
}

// dismissLocked dismisses a speaker that is gone, and appoints another at once: if no
// one speaks, no one hears anything either. If there is no other, the next client that
// joins becomes the speaker.
func (g *group) dismissLocked(c *client) {
	i := slices.Index(g.speakers, c)
	if i < 0 {
		return
	}
	g.speakers[i] = nil
	g.vacant++
	if next := g.nextLocked(c); next != nil && !g.fleet.stopping {
		g.appointLocked(next)
	}
}

// nextLocked is the first client after c that could speak and does not, or nil.
// The search goes around: where all are cut off one after the other, it would
// else pass over ever more of those that are gone.
func (g *group) nextLocked(c *client) *client {
	for i := 1; i < len(g.clients); i++ {
		next := &g.clients[(int(c.number-g.first)+i)%len(g.clients)]
		if next.presentLocked() && !g.speaksLocked(next) {
			return next
		}
	}
	return nil
}

// presentLocked reports whether a client is joined now. Unlike its phase, which
// belongs to the loop, anybody may ask for it.
func (c *client) presentLocked() bool { return c.linked && c.joinedOnce && !c.awayLocked() }

func (g *group) speaksLocked(c *client) bool { return slices.Contains(g.speakers, c) }

// speakerLocked returns the client that sends a writer's messages, or nil if there is
// none. In a group of few clients one may send for several writers.
func (g *group) speakerLocked(writer int) *client {
	for i := range g.speakers {
		if c := g.speakers[(writer+i)%len(g.speakers)]; c != nil {
			return c
		}
	}
	return nil
}
