package main_test

import "testing"

// A difference is what a Phoenix does otherwise than Roost, on purpose or because
// the protocol leaves it open.
type difference struct {
	of  string // phoenix, or the one of its web servers: bandit, cowboy
	why string
}

// differences are all that there are, as far as these tests see. FEATURES.md lists
// them for people.
var differences = map[string]difference{
	"bad auth token":               {"phoenix", "a token that is no base64 is a crash, 500; here it is the client's mistake, 400"},
	"close codes of Bandit":        {"bandit", "Bandit answers any valid Close with 1000 and one that is no UTF-8 with 1002; here the code is echoed, and 1007, as RFC 6455 and Cowboy have it"},
	"close without a code":         {"cowboy", "Cowboy answers an empty Close with an empty one; here, as with Bandit, with 1000"},
	"early frame":                  {"bandit", "Bandit drops a frame that comes in one segment with the upgrade request; here, as with Cowboy, it is answered"},
	"binary for a V1 client":       {"phoenix", "the broadcaster crashes; here that client is left out and nobody else notices"},
	"V1 in lines":                  {"phoenix", "V1 messages in ndjson are taken for base64 and crash the session; here they are understood"},
	"binary to long polling":       {"phoenix", "a binary push makes the poll fail with 500 and loses what waited; here it alone is left out"},
	"charset of lines":             {"phoenix", "a content type of ndjson with parameters is not recognised; here it is"},
	"disconnect during a poll":     {"phoenix", "the poll that waits is not woken by a disconnect; here it is answered with 410 at once"},
	"empty lines":                  {"phoenix", "an empty line in a POST ends the session; here it is nothing"},
	"long body":                    {"cowboy", "a POST of more than 8 MB is a crash, 500; here, as with Bandit, 400"},
	"malformed POST":               {"phoenix", "answered with 408 after the window, or 500 if it is no base64; here with 410 at once"},
	"slow join":                    {"phoenix", "a join that takes its time holds up all of its client's messages; here only those for its topic"},
	"twice after a duplicate join": {"phoenix", "the old channel's subscription outlives it for a moment, so a broadcast may come twice"},
	"idle close code":              {"cowboy", "Cowboy closes an idle connection with 1000, Bandit with 1002; after 1000 old clients stay away"},
	"terminate before its end":     {"phoenix", "a crashing channel's terminate pushes before phx_error; here Terminate runs once the client has been told"},
}

// differs reports whether the server to test is a Phoenix of which the named
// difference is known.
func differs(t *testing.T, name string) bool {
	t.Helper()
	d, known := differences[name]
	switch {
	case !known:
		t.Fatalf("no difference is called %q", name)
	case *phoenix == "", d.of != "phoenix" && d.of != *phoenix:
		return false
	}
	t.Logf("differs: %s: %s", name, d.why)
	return true
}
