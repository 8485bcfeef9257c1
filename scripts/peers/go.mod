// The servers of results/peers: a module of its own, so that Roost needs neither
// of these libraries.
module github.com/roost-rt/roost/scripts/peers

go 1.26.0

require (
	github.com/gorilla/websocket v1.5.3
	github.com/lesismal/nbio v1.6.8
)

require (
	github.com/lesismal/llib v1.2.2 // indirect
	golang.org/x/crypto v0.58.0 // indirect
	golang.org/x/sys v0.49.0 // indirect
)
