package report

import (
	"math"
	"strconv"
	"strings"
)

const notMeasured = "not measured"

// show formats what v points to, or says that there is nothing.
func show[T any](v *T, format func(T) string) string {
	if v == nil {
		return notMeasured
	}
	return format(*v)
}

// count groups thousands: 1234567 is "1,234,567".
func count(n int64) string {
	digits := strconv.FormatInt(n, 10)
	sign := ""
	if n < 0 {
		sign, digits = "-", digits[1:]
	}
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return sign + digits
}

func size(bytes float64) string      { return scaled(bytes, "B", "KB", "MB", "GB", "TB") }
func rate(perSecond float64) string  { return scaled(perSecond, "/s", "k/s", "M/s") }
func duration(us float64) string     { return scaled(us, "µs", "ms", "s") }
func milliseconds(ms float64) string { return duration(ms * 1000) }

// scaled shows three digits in the unit that fits; each unit is a thousand of
// the one before.
func scaled(v float64, units ...string) string {
	for len(units) > 1 && math.Abs(v) >= 999.5 {
		v /= 1000
		units = units[1:]
	}
	return threeDigits(v) + " " + units[0]
}

func threeDigits(v float64) string {
	abs := math.Abs(v)
	switch {
	case v == 0:
		return "0"
	case abs >= 999.5:
		return count(int64(math.Round(v)))
	case abs >= 99.95:
		return strconv.FormatFloat(v, 'f', 0, 64)
	case abs >= 9.995:
		return strconv.FormatFloat(v, 'f', 1, 64)
	case abs >= 0.1:
		return strconv.FormatFloat(v, 'f', 2, 64)
	}
	return strconv.FormatFloat(v, 'f', 3, 64)
}

// percent rounds down: a run that lost one message of a million must not show
// 100%.
func percent(part, whole int64) string {
	if part == whole {
		return "100%"
	}
	if part > whole {
		return threeDigits(100*float64(part)/float64(whole)) + "%"
	}
	p := math.Floor(float64(part)/float64(whole)*1e6) / 1e4
	return strconv.FormatFloat(p, 'f', -1, 64) + "%"
}

// compact is for axes: 12000 is "12k".
func compact(v float64) string {
	suffix := ""
	for _, s := range []string{"k", "M", "G"} {
		if math.Abs(v) < 1000 {
			break
		}
		v, suffix = v/1000, s
	}
	return strconv.FormatFloat(v, 'g', 6, 64) + suffix
}

// plain is for axes that name their unit: 1500 ms is "1,500", never "1.5k".
func plain(v float64) string {
	if v >= 1000 {
		return count(int64(math.Round(v)))
	}
	return compact(v)
}

func shortCommit(commit string) string {
	hash, dirty, found := strings.Cut(commit, "+")
	hash = hash[:min(len(hash), 12)]
	if found {
		return hash + "+" + dirty
	}
	return hash
}

// shellQuote joins arguments so that a shell takes them apart again.
func shellQuote(args []string) string {
	quoted := make([]string, len(args))
	for i, arg := range args {
		quoted[i] = arg
		if arg == "" || strings.ContainsFunc(arg, special) {
			quoted[i] = "'" + strings.ReplaceAll(arg, "'", `'\''`) + "'"
		}
	}
	return strings.Join(quoted, " ")
}

func special(r rune) bool {
	const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:=,@%+"
	return !strings.ContainsRune(plain, r)
}
