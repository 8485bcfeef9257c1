package report

import "fmt"

// A card is a figure that a reader looks for first.
type card struct{ Name, Value, More string }

// cards are those of the scenario.
func (s Summary) cards() []card {
	memory := card{"Server memory per client", show(s.ServerBytesPerClient, size),
		"kernel " + show(s.KernelBytesPerClient, size) + ", client " + show(s.ClientBytesPerClient, size)}
	joins := card{"Connect and join", show(s.ConnectJoinPerSecond, rate), "CPU per join " + show(s.ServerCPUUsPerJoin, duration)}
	switch {
	case s.Echo != nil:
		e := s.Echo
		return []card{
			{"Pings answered", show(e.RepliesPerSecond, rate), count(e.Replies) + " in all"},
			latencyCard("Latency p99", s.LatencyMs),
			memory,
			{"Server CPU per reply", show(e.ServerCPUUsPerReply, duration), "client " + show(e.ClientCPUUsPerReply, duration)},
			joins,
		}
	case s.Idle != nil:
		i := s.Idle
		return []card{
			{"Heartbeats answered", show(i.HeartbeatsPerSecond, rate), count(i.Heartbeats) + " in all"},
			latencyCard("Join latency p99", s.JoinLatencyMs),
			memory,
			{"Server CPU per heartbeat", show(i.ServerCPUUsPerHeartbeat, duration), "all that an idle server does"},
			joins,
		}
	case !s.broadcasts():
		return []card{latencyCard("Join latency p99", s.JoinLatencyMs), memory, joins}
	}
	last := joins
	if c := s.Churn; c != nil {
		last = card{"Join again, p99", notMeasured, fmt.Sprintf("%s joins, %s", count(c.Joins), show(c.JoinsPerSecond, rate))}
		if c.JoinMs != nil {
			last.Value = milliseconds(c.JoinMs.P99)
		}
	}
	if b := s.Burst; b != nil {
		last = card{"Pushes answered", count(b.Replies), notMeasured}
		if b.ReplyMs != nil {
			last.More = "the last after " + milliseconds(b.ReplyMs.Max)
		}
	}
	if w := s.Slow; w != nil {
		last = card{"Slow clients disconnected", count(w.CutOff), "how many do not read, is not recorded"}
		if w.Stalled != nil {
			last.More = "of " + count(*w.Stalled) + " that do not read"
		}
	}
	if c := s.Comeback; c != nil {
		last = card{"99% reconnected", c.until(c.Back99Ms, 99), fmt.Sprintf("all %s, retries %s", c.until(c.Back100Ms, 100), count(c.Retries))}
	}
	return []card{
		s.deliveredCard(),
		latencyCard("Latency p99", s.LatencyMs),
		memory,
		{"Server CPU per delivery", show(s.ServerCPUUsPerDelivery, duration), "fan-out " + show(s.FanOutPerSecond, rate)},
		last,
	}
}

func (s Summary) deliveredCard() card {
	c := card{"Delivered", notMeasured, ""}
	if s.Delivered == nil || s.Expected == nil {
		return c
	}
	c.Value = "nothing sent"
	if *s.Expected > 0 {
		c.Value = percent(*s.Delivered, *s.Expected)
	}
	c.More = fmt.Sprintf("%s of %s", count(*s.Delivered), count(*s.Expected))
	if s.missed() > 0 {
		c.More += fmt.Sprintf(", %s missed while away", count(s.missed()))
	}
	if s.Late != nil && *s.Late > 0 {
		c.More += fmt.Sprintf(", %s late", count(*s.Late))
	}
	return c
}

func latencyCard(name string, l *Percentiles) card {
	if l == nil {
		return card{name, notMeasured, ""}
	}
	return card{name, milliseconds(l.P99), fmt.Sprintf("p50 %s, max %s", milliseconds(l.P50), milliseconds(l.Max))}
}
