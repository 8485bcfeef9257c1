package report

import "github.com/roost-rt/roost/loadtest/record"

// Secured holds the results of the clients' TLS.
type Secured struct {
	Handshakes int64 `json:"handshakes"` // done
	Resumed    int64 `json:"resumed"`    // of these, with a session of before
}

func secured(e *record.End) *Secured {
	if e.Secured == 0 {
		return nil
	}
	return &Secured{e.Secured, e.Resumed}
}

func (s *Secured) block() block {
	return single("TLS", []string{"handshakes", "resumed"}, count(s.Handshakes), count(s.Resumed))
}
