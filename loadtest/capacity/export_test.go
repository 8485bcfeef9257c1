package capacity

// Peeks for the tables of numbers for people.
var (
	Count  = count
	Digits = digits
	Size   = size
	Bits   = bits
	Rank   = rank
)
