// Package report turns the records of a load test into figures and shows
// them: a [Summary], JSON for programs, text for a terminal, and one HTML page
// that needs nothing but itself.
//
// It measures nothing and guesses nothing. A quantity that the records do not
// hold is nil here, null in JSON and "not measured" for people; it is never 0.
//
// The charts are SVG made here and not by a script in the page. So the page
// works offline, on paper and in a mail, a screen reader gets each chart as a
// table of the same points, equal records give equal bytes, and there is no
// vendored JavaScript to keep up to date. The cost is that nobody can zoom.
//
// Units: 1 KB is 1,000 bytes. CPU is user plus system time.
//
// There are no goroutines here and no clock. A [Result] is not changed once it
// is made, so many goroutines may use one.
package report
