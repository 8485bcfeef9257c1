package report

import "fmt"

// A card is a figure that a reader looks for first.
type card struct{ Name, Value, More string }

// cards returns the cards of the scenario.
func (s Summary) cards() []card {
	last := s.joinsCard()
	for _, k := range kinds() {
		if k.cards != nil {
			if all := k.cards(s); all != nil {
				return all
			}
		}
		if k.lastCard != nil {
			if c := k.lastCard(s); c != nil {
				last = *c
			}
		}
	}
	if !s.broadcasts() {
		return []card{latencyCard("Join latency p99", s.JoinLatencyMs), s.memoryCard(), s.joinsCard()}
	}
	return []card{
		s.deliveredCard(),
		latencyCard("Latency p99", s.LatencyMs),
		s.memoryCard(),
		{"Server CPU per delivery", show(s.ServerCPUUsPerDelivery, duration), "fan-out " + show(s.FanOutPerSecond, rate)},
		last,
	}
}

func (s Summary) memoryCard() card {
	return card{"Server memory per client", show(s.ServerBytesPerClient, size),
		"kernel " + show(s.KernelBytesPerClient, size) + ", client " + show(s.ClientBytesPerClient, size)}
}

func (s Summary) joinsCard() card {
	return card{"Connect and join", show(s.ConnectJoinPerSecond, rate), "CPU per join " + show(s.ServerCPUUsPerJoin, duration)}
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
