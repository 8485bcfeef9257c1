package conduct

import (
	"context"

	"github.com/roost-rt/roost/loadtest/order"
)

// A part is a scenario at the coordinator. Fields that it leaves out are as in a chat.
type part struct {
	play        func(*run, context.Context) error // what happens once all have joined
	orders      func(*run, *order.Orders)         // what processes of clients have to know
	arrives     func(*run) bool                   // reports whether clients join in play, and not before; nil: they do not
	firstWrites bool                              // all writers of a room are in the first process that has clients of it
}
