package plan

// Chat is the scenario that others are variants of.
const Chat Scenario = "chat"

var chat = kind{
	name:  Chat,
	says:  "-writers clients broadcast to all, each -rate messages a second; every receipt of every client is accounted for",
	flags: chatFlags(),
}

// chatFlags returns the flags of a scenario in which writers write, and more.
func chatFlags(more ...string) []string {
	return append([]string{"messages", "writers", "late", "rate", "size", "event", "drain"}, more...)
}
