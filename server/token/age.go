package token

import "time"

// infinity is how a token says Forever.
const infinity = Atom("infinity")

// ifFresh takes the data out of a token's {data, signed_at_ms, max_age_s} if
// its age at now, in milliseconds, is within maxAge or, that being zero, its
// own limit. The checks and their order are Phoenix's: with Forever it does not
// look at the clock at all.
func ifFresh(content any, now int64, maxAge time.Duration) (any, error) {
	fields, ok := content.(Tuple)
	if !ok || len(fields) != 3 {
		return nil, ErrInvalid
	}
	signedAt, ok := fields[1].(int64)
	if maxAge == 0 && ok {
		maxAge, ok = duration(fields[2])
	}
	switch {
	case !ok:
		return nil, ErrInvalid
	case maxAge == Forever:
		return fields[0], nil
	case maxAge <= 0:
		return nil, ErrExpired
	case signedAt > now:
		return nil, ErrInvalid
	case uint64(now-signedAt) > uint64(maxAge.Milliseconds()): // unsigned, as the age may not fit an int64
		return nil, ErrExpired
	}
	return fields[0], nil
}

// seconds is an age limit as a token has it.
func seconds(age time.Duration) any {
	switch {
	case age == Forever:
		return infinity
	case age%time.Second == 0:
		return int64(age / time.Second)
	}
	return age.Seconds()
}

// duration undoes seconds. What exceeds a Duration, 292 years, is Forever.
func duration(limit any) (age time.Duration, ok bool) {
	s, ok := limit.(float64)
	if n, whole := limit.(int64); whole {
		s, ok = float64(n), true
	}
	if limit == infinity || s >= Forever.Seconds() {
		return Forever, true
	}
	return time.Duration(max(s, 0) * float64(time.Second)), ok
}
