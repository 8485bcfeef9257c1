package main

// An absence is a path that the suites expect and that is answered with 404.
type absence struct{ path, needs string }

// missing is what phx cannot do yet. Two things are missing inside of topics that
// are served: join_ref in the answer of room:*'s whoami, for which Channel does
// not tell it, and the data that follows an Absinthe subscription, for which a
// Socket would have to get the broadcasts of a topic that it has not joined.
// presence:* has no route.
func missing() []absence {
	const (
		longPoll = "long polling"
	)
	return []absence{

		{"/socket/longpoll", longPoll},
		{"/fast/longpoll", longPoll},
		{"/origin/longpoll", longPoll},
		{"/auth/longpoll", longPoll},
		{"/limited/longpoll", longPoll},
		{"/lp/longpoll", longPoll},
		{"/lp/connect_info/longpoll", longPoll},
		{"/lp/slow/longpoll", longPoll},
	}
}
