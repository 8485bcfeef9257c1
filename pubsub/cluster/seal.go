package cluster

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"sync"
	"sync/atomic"
	"time"
)

const (
	macSize  = 16
	sealSize = 16 + macSize

	// fewestSecret is how many bytes Config.Secret has at least.
	fewestSecret = 20

	// skew is how far the clocks of two nodes with a secret may be apart.
	skew = time.Minute
)

// A seal is how envelopes are signed in a cluster with a secret. It is their end:
//
//	8 bytes   when it was sent: Unix time in ms, big endian
//	8 bytes   its serial number among all that this node has sent, from 1 on, big endian
//	16 bytes  the first of HMAC-SHA256, with the secret, of subject, a zero byte, and all
//	          before these
//
// So what was recorded does no harm when it is sent again: a broadcast has its number, a
// serial number counts once, and what is too old is not taken from anybody.
type seal struct {
	hashes sync.Pool // of hash.Hash
	serial atomic.Uint64
	window time.Duration // how old an envelope may be
}

// newSeal returns nil without a secret.
func newSeal(secret string, maxWait time.Duration) *seal {
	if secret == "" {
		return nil
	}
	s := &seal{window: 2*maxWait + skew} // broadcasts are kept for so long
	s.hashes.New = func() any { return hmac.New(sha256.New, []byte(secret)) }
	return s
}

// size is what signing adds to an envelope.
func (s *seal) size() int {
	if s == nil {
		return 0
	}
	return sealSize
}

// sign returns an encoded envelope as it is sent.
func (s *seal) sign(subject string, data []byte) []byte {
	if s == nil {
		return data
	}
	data[2] |= flagSigned
	data = binary.BigEndian.AppendUint64(data, uint64(time.Now().UnixMilli()))
	data = binary.BigEndian.AppendUint64(data, s.serial.Add(1))
	return append(data, s.mac(subject, data)...)
}

// verify reports whether an envelope that came is one of this cluster, and its serial
// number.
func (s *seal) verify(subject string, data []byte) (serial uint64, ok bool) {
	end := len(data) - macSize
	sent := time.UnixMilli(int64(binary.BigEndian.Uint64(data[end-16:])))
	if !hmac.Equal(data[end:], s.mac(subject, data[:end])) || time.Since(sent).Abs() > s.window {
		return 0, false
	}
	return binary.BigEndian.Uint64(data[end-8:]), true
}

func (s *seal) mac(subject string, data []byte) []byte {
	h := s.hashes.Get().(hash.Hash)
	defer s.hashes.Put(h)
	h.Reset()
	_, _ = h.Write(append([]byte(subject), 0)) // a hash takes everything
	_, _ = h.Write(data)
	return h.Sum(nil)[:macSize]
}

// serials are the numbers that came from one node, of late, on messages of one kind.
type serials struct {
	last uint64            // the highest
	seen [1024 / 64]uint64 // a ring of bits
}

// isNew notes a number. It reports false for one that has come before, or that is too
// far behind to tell. What a node sends of one kind comes in order, or nearly so; one
// kind may wait here while another goes on.
func (s *serials) isNew(number uint64) bool {
	const size = uint64(len(s.seen) * 64)
	if number+size <= s.last {
		return false
	}
	for s.last < number {
		if number-s.last >= size {
			s.seen, s.last = [len(s.seen)]uint64{}, number
			break
		}
		s.last++
		s.seen[s.last%size/64] &^= 1 << (s.last % 64)
	}
	word, bit := &s.seen[number%size/64], uint64(1)<<(number%64)
	if *word&bit != 0 {
		return false
	}
	*word |= bit
	return true
}
