package report

// Peeks for the tables of units, ticks and tests of significance.
var (
	Count      = count
	Size       = size
	Rate       = rate
	Duration   = duration
	Percent    = percent
	Compact    = compact
	ShellQuote = shellQuote
	RankSum    = rankSum
	LeastP     = leastP
)

func LinearTicks(most float64, n int) []float64      { return fromZero(most, n).ticks }
func LogarithmicTicks(least, most float64) []float64 { return logarithmic(least, most).ticks }
