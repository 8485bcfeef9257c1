package kernel

import (
	"encoding/json"
	"errors"
	"math"
	"strconv"
)

// A Count is a number that may be missing or without a bound. In JSON those are
// null and "unlimited".
type Count int64

// Counts that are none.
const (
	Unknown   Count = -1
	Unlimited Count = math.MaxInt64
)

// unlimitedFrom is where the kernel's numbers for no limit begin: cgroup v1 says the
// largest number of whole pages, fs.file-max the largest int64.
const unlimitedFrom = 1 << 62

// parseCount reads a number or one of the words for none.
func parseCount(text string) Count {
	if text == "max" || text == "unlimited" {
		return Unlimited
	}
	n, err := strconv.ParseInt(text, 10, 64)
	switch {
	case err != nil && !overflows(err), n < 0:
		return Unknown
	case n >= unlimitedFrom:
		return Unlimited
	}
	return Count(n)
}

func overflows(err error) bool { return errors.Is(err, strconv.ErrRange) }

func (c Count) known() bool { return c >= 0 }

// minus returns the difference, at least 0. Unknown counts as 0.
func (c Count) minus(d Count) Count {
	if c == Unlimited || c == Unknown {
		return c
	}
	return max(0, c-max(0, d))
}

// String groups the digits: 1,234,567.
func (c Count) String() string {
	switch {
	case c == Unlimited:
		return "unlimited"
	case c < 0:
		return "-"
	}
	digits := strconv.FormatInt(int64(c), 10)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

// MarshalJSON implements [json.Marshaler].
func (c Count) MarshalJSON() ([]byte, error) {
	switch {
	case c == Unlimited:
		return json.Marshal("unlimited")
	case c < 0:
		return []byte("null"), nil
	}
	return json.Marshal(int64(c))
}

// UnmarshalJSON implements [json.Unmarshaler].
func (c *Count) UnmarshalJSON(text []byte) error {
	switch string(text) {
	case "null":
		*c = Unknown
		return nil
	case `"unlimited"`:
		*c = Unlimited
		return nil
	}
	return json.Unmarshal(text, (*int64)(c))
}
