// Package poller is the event loop and the worker pool below Roost. It handles
// bytes and connections, and knows nothing of WebSockets or Phoenix.
//
// It runs on netpoll's loops, and its sockets are in their epoll sets, but not
// as netpoll's: a Connection keeps 3 to 13 KB per idle client, and an
// FDOperator 153 bytes more than a slot in a table. A Conn costs some 100 bytes
// and no goroutine.
//
// # Concurrency
//
// Each connection belongs to one loop. Only that loop calls its [Handler], one
// call at a time, and the Handler must not wait: work that may wait takes a
// turn on a [Pool]. Methods of [Conn] may be called from any goroutine unless
// they say "loop only", which programs built with the race detector check. No
// system call under a lock blocks: a send under Conn.mu, the wake-up of a loop
// under its mu. Locks are never nested, except Conn.mu before loop.mu.
package poller
