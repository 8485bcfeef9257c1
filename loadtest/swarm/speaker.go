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

// dismissLocked takes a client that is gone off. The next one that hears
// something is appointed.
func (g *group) dismissLocked(c *client) {
	if i := slices.Index(g.speakers, c); i >= 0 {
		g.speakers[i] = nil
		g.vacant++
	}
}

func (g *group) speaksLocked(c *client) bool { return slices.Contains(g.speakers, c) }

// speakerLocked is who sends a writer's messages: in a group of few clients one
// may do it for several, and nil if there is none.
func (g *group) speakerLocked(writer int) *client {
	for i := range g.speakers {
		if c := g.speakers[(writer+i)%len(g.speakers)]; c != nil {
			return c
		}
	}
	return nil
}
