package presence

// Stats are the state and the counts of one node.
type Stats struct {
	Name      string // the Config's
	Topics    int    // topics kept: someone is there, or someone has yet to be told
	Entries   int    // presences on all nodes that are up, including those that are only counted
	NodesUp   int    // other nodes whose presences are seen
	NodesDown int    // other nodes that are silent, and kept in case they come back
	Diffs     uint64 // presence_diff messages to the clients of this node, each counted once
	DiffBytes uint64 // of JSON in them
}

// Stats takes the same time however many presences there are.
func (p *Presence) Stats() Stats {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := Stats{Name: p.cfg.Name, Topics: len(p.topics), Entries: p.entries, Diffs: p.diffs, DiffBytes: p.diffBytes}
	if p.state != nil {
		s.NodesUp, s.NodesDown = p.state.Nodes()
	}
	return s
}
