// Package report turns the records of a load test into figures and shows
// them: a [Summary], JSON for programs, text for a terminal, and one HTML page
// that needs nothing but itself; the run over time as CSV, its latencies as an
// HdrHistogram log. [Compare] sets several runs side by side.
//
// It measures nothing and guesses nothing. A quantity that the records do not
// hold is nil here, null in JSON and "not measured" for people; it is never 0.
// Text, pages and comparisons leave out a quantity that a scenario does not have at all,
// such as the broadcasts of echo.
//
// The charts are SVG made here and not by a script in the page. So the page
// works offline, on paper and in a mail, a screen reader gets each chart as a
// table of the same points, equal records give equal bytes, and there is no
// vendored JavaScript to keep up to date. The cost is that readers cannot zoom.
//
// # Units
//
// 1 KB is 1,000 bytes. CPU is user plus system time. A name in JSON or CSV ends
// in its unit: _ns, _us, _ms, _bytes, _per_second; one without a unit is a count.
// server_rss, client_rss and the fields of server_bytes_per_client and its like
// are bytes, server_cpu_us_per_join and its like microseconds, latency_ms and
// its like milliseconds.
//
// # Schema
//
// JSON begins with the number of its schema, [Schema] for a run and
// [CompareSchema] for a comparison. A field may be added under the same number,
// so a program must pass over fields that it does not know, and treat a missing
// one as not measured. A field that goes, or gets another type, unit or
// meaning, makes the number grow. [ReadJSON] and [Load] refuse any number but their
// own and say whether an older or a newer program wrote the file.
//
// There are no goroutines here and no clock. A [Result] never changes once it is made,
// so many goroutines may use one.
package report
