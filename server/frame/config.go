package frame

import (
	"cmp"
	"math"
)

const (
	defaultMaxFrame        = 10_000_000 // spec §1.7
	defaultMaxMessage      = 8_000_000  // spec §1.7
	defaultMaxInflateRatio = 100
	defaultMaxBlocks       = 1024
	defaultMaxFragments    = 8192

	// inflateFree is the size that a compressed message may inflate to whatever its
	// ratio: short messages of one repeated word are no bombs.
	inflateFree = 64 << 10

	// steepest is the ratio that DEFLATE itself cannot exceed: two bits for a
	// match of 258 bytes.
	steepest = 1032
)

// A Config says what to accept. It is shared by the connections of a mount and
// must not change while one of them decodes.
type Config struct {
	// Client decodes frames from a server, which have no mask. Otherwise every frame
	// must be masked (RFC 6455 §5.1).
	Client bool

	// MaxFrame is the size of the largest frame in bytes, including its header. A
	// larger one fails with 1009 at its header. Zero means 10,000,000.
	MaxFrame int64

	// MaxMessage is the size of the largest message in bytes: the sum of its
	// fragments and, if compressed, both before and after inflating. A larger
	// one fails with 1009. Zero means 8,000,000 for fragmented and compressed
	// messages, and leaves the others to MaxFrame (spec §1.7).
	MaxMessage int64

	// MaxInflateRatio guards against decompression bombs: a message of n compressed
	// bytes may inflate to 64 KiB + n*MaxInflateRatio bytes; beyond that it fails with
	// 1009. Zero means 100; 1032, the highest ratio DEFLATE can reach, is no guard at
	// all.
	MaxInflateRatio int

	// MaxBlocks is how many DEFLATE blocks a compressed message may have, plus one for
	// each 64 bytes that it inflates to: even empty blocks take time. More fail with
	// 1008. Zero means 1,024.
	MaxBlocks int

	// MaxFragments is how many frames, including control frames between them, may
	// arrive from the first to the last one of a message, plus one for each 16 bytes of
	// it. More fail with 1008. Zero means 8,192, so that a message of that many bytes
	// may arrive byte by byte.
	MaxFragments int

	// Inline is the size in bytes, before and after inflating, of the largest message
	// that Next finishes itself. Larger ones, and those of more than four DEFLATE blocks
	// and one for each 64 bytes, are for Decoder.TakeLarge, and
	// Large.Finish may run elsewhere. Zero means that Next finishes all, and NextWithin
	// all that its budget allows. If it is negative, all messages are large.
	Inline int64

	// Deflate says that permessage-deflate was negotiated, without context
	// takeover in the direction that is decoded.
	Deflate bool

	// SkipUTF8 disables the check that text is UTF-8.
	SkipUTF8 bool
}

func (c *Config) maxFrame() int64   { return cmp.Or(c.MaxFrame, defaultMaxFrame) }
func (c *Config) maxMessage() int64 { return cmp.Or(c.MaxMessage, defaultMaxMessage) }
func (c *Config) maxBlocks() int    { return cmp.Or(c.MaxBlocks, defaultMaxBlocks) }
func (c *Config) maxFragments() int { return cmp.Or(c.MaxFragments, defaultMaxFragments) }

// inline is Inline where so much of a budget is left.
func (c *Config) inline(budget int) int64 {
	return min(cmp.Or(c.Inline, math.MaxInt64), max(int64(budget), leastInline))
}

// maxInflated is how large a message of n compressed bytes may become.
func (c *Config) maxInflated(n int) int64 {
	ratio := min(cmp.Or(c.MaxInflateRatio, defaultMaxInflateRatio), steepest)
	return min(c.maxMessage(), inflateFree+int64(n)*int64(ratio))
}
