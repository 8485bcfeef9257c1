package phx_test

import (
	"go/ast"
	"go/token"
	"maps"
	"slices"
	"testing"
)

// userMethods are the exported methods of the types that applications hold. A
// RawSocket has those of Socket, too.
var userMethods = map[string][]string{
	"Channel": {"Assign", "AtEnd", "Broadcast", "BroadcastFrom", "CallbackContext", "Context", "JoinRef", "Pattern", "Push", "Ref", "Send", "Socket", "Subscribe", "Topic",
		"Unsubscribe", "Value"},
	"Endpoint": {"Addr", "AdminHandler", "Broadcast", "BroadcastContext", "BroadcastTo", "Budgets", "Cluster", "Dial", "Draining", "Ledger",
		"LocalBroadcast", "LoopLag", "Node", "Ready", "Serve", "ServeHTTP", "SetLimits", "Shutdown", "SlowPasses", "Sockets", "Stats", "Subscribe", "Subscribers", "SubscribersEverywhere", "Topics"},
	"RawSocket": {"CallbackContext", "CloseWith", "Push", "Send", "Subscribe", "Unsubscribe"},
	"Socket": {"Assign", "Close", "Context", "Endpoint", "ID", "RemoteAddr", "SetID", "Subscribe", "Transport", "Unsubscribe",
		"Value"},
}

// Applications see what they may call, and nothing that is the engine's: that
// belongs to types such as socketEvents.
func TestMethods(t *testing.T) {
	got := make(map[string][]string)
	for _, f := range sources(t, token.NewFileSet()) {
		for _, d := range f.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv != nil && fn.Name.IsExported() {
				of := receiver(fn)
				got[of] = append(got[of], fn.Name.Name)
			}
		}
	}
	for _, of := range slices.Sorted(maps.Keys(userMethods)) {
		want := userMethods[of]
		slices.Sort(got[of])
		for _, name := range got[of] {
			if !slices.Contains(want, name) {
				t.Errorf("%s.%s is exported: add it here if applications may call it, else see events.go", of, name)
			}
		}
		for _, name := range want {
			if !slices.Contains(got[of], name) {
				t.Errorf("%s.%s is gone", of, name)
			}
		}
	}
}

// receiver is the name of a method's type.
func receiver(fn *ast.FuncDecl) string {
	of := fn.Recv.List[0].Type
	if star, ok := of.(*ast.StarExpr); ok {
		of = star.X
	}
	if name, ok := of.(*ast.Ident); ok {
		return name.Name
	}
	return "" // generic: none of ours
}
