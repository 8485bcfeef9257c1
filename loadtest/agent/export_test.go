package agent

// What the tests of agents look at.
type Exchange = exchange

var Closest = closest

func NewExchange(sent, at, received int64) Exchange { return exchange{sent, at, received} }
