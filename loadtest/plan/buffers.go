package plan

// HeldBack is what a server of ours may hold for a slow client, in bytes: by
// default it is so much that a run would take long to come there.
const HeldBack = 64 << 10

// PushSize is the payload of a push of Burst, in bytes.
const PushSize = 20_000

// Pushes is how many messages each pusher of Burst pushes.
func (c Config) Pushes() int { return atLeast(c.Push, PushSize) }

// Queue is how many bytes a client of Burst has to send at a time: of pushes or of
// a writer's messages, with what is around them, and no less than 64 MiB. 0 is any
// other scenario.
func (c Config) Queue(messages int) int {
	if c.Scenario != Burst {
		return 0
	}
	const around = 200 // bytes
	return max(64<<20, c.Pushes()*(PushSize+around), messages*(c.Size+around))
}
