package phxclient

import "time"

// Late is what happens when the answer to a join has not come in time.
func Late(ch *Channel) {
	ch.client.mu.Lock()
	ref := ch.joinRef
	ch.client.mu.Unlock()
	ch.late(ref)
}

// Queued is what waits to be sent.
func (c *Client) Queued() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.queued
}

// Delay is how long a client waits before it connects for the nth time.
func Delay(n int) time.Duration { return jittered(reconnects)(n) }
