package plan

import "time"

const (
	// deliveriesPerCore is about half of what a processor can deliver in a
	// second, with server and clients on one host.
	deliveriesPerCore = 25_000

	// broadcasts is how many a second, over all rooms, are accounted for one by
	// one at little cost.
	broadcasts = 500.

	// beat is the time between heartbeats that official clients keep.
	beat = 30 * time.Second

	// beatsPerCore is how many heartbeats a second, with both ends on this host,
	// take some 4 % of a processor.
	beatsPerCore = 1_700
)

// pace chooses how much is sent.
func (p *planner) pace() {
	p.Writers = p.config.Writers
	p.Rate = p.config.Rate
	if p.Rate == 0 {
		p.Rate = min(2, float64(deliveriesPerCore*p.host.Cores)/float64(p.Clients*p.Writers))
		p.Rate = min(p.Rate, broadcasts/float64(len(p.Rooms)*p.Writers))
	}
	p.Messages = p.config.Messages
	if pace := p.config.Scenario.kind().pace; pace != nil {
		pace(p)
	}
	if p.Messages == 0 {
		p.Messages = max(5, min(20, int(60*p.Rate)))
	}
	p.Churn = p.config.Churn
	if p.Churn == 0 {
		p.Churn = float64(p.Clients) / 100
	}
	p.Heartbeat = p.config.Heartbeat
	if p.Heartbeat == 0 {
		p.Heartbeat = beat
		if p.config.URL == "" { // only our own servers can be told to wait longer
			seconds := atLeast(p.Clients, beatsPerCore*p.host.Cores)
			p.Heartbeat = max(beat, beat*time.Duration(atLeast(seconds, 30)))
		}
	}
	p.look()
}

const (
	// looks is how many points a chart over the time of a run is to have.
	looks = 40

	// tickMost and tickLeast bound the time between two: CPU time is counted in
	// hundredths of a second.
	tickMost, tickLeast = time.Second, 100 * time.Millisecond

	// reports is the time between two reports of a process that is not one of many.
	reports = 250 * time.Millisecond
)

// look chooses how often the state of a run is recorded: a short one needs it more
// often to be seen at all.
func (p *planner) look() {
	p.Tick = max(tickLeast, min(tickMost, (p.length()+time.Second)/looks))
	if p.Report == 0 {
		p.Report = min(reports, p.Tick)
	}
}

// length is about how long the scenario plays.
func (p *planner) length() time.Duration {
	switch {
	case !p.config.Scenario.Sends():
		return p.config.For
	case p.Rate == 0:
		return 0
	}
	return time.Duration(float64(p.Messages) / p.Rate * float64(time.Second))
}
