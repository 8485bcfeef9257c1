package cluster

import "time"

// Recode decodes an envelope and encodes it again.
func Recode(b []byte) ([]byte, error) {
	e, err := decode(b)
	if err != nil {
		return nil, err
	}
	return e.encode(), nil
}

var ErrInvalid = errInvalid

// Row is a row of an encoded table: where a node is in the bucket of a topic.
func Row(topic string, number uint64) string {
	return string(appendRow(nil, row{bucketOf(topic), number, 0}))
}

// Bucket returns the subject of a topic's broadcasts.
func (l *Link) Bucket(topic string) string { return l.buckets[bucketOf(topic)] }

// NATS returns the carrier that a Link uses by default.
func NATS(cfg Config) Carrier { return natsCarrier{cfg.withDefaults()} }

// Seal returns the functions with which a cluster with a secret signs and verifies.
func Seal(secret string, maxWait time.Duration) (sign func(subject string, data []byte) []byte, verify func(subject string, data []byte) bool) {
	s := newSeal(secret, maxWait)
	return s.sign, func(subject string, data []byte) bool { _, ok := s.verify(subject, data); return ok }
}

// Serials returns isNew of a node's serials.
func Serials() (isNew func(uint64) bool) { return new(serials).isNew }

// Gone returns how often a peer that was heard once counts as gone, for a node that looks
// at the given times after that.
func Gone(beat time.Duration, at ...time.Duration) (gone int) {
	heard := time.Now()
	p := &peers{beat: beat, most: 1, byID: map[uint64]*peer{1: {name: "a", heard: heard, here: true}}}
	for _, d := range at {
		gone += len(p.sweep(heard.Add(d)))
	}
	return gone
}
