package plan

// Storm is all clients that come back to servers which went down.
const Storm Scenario = "storm"

// How servers go down in Storm.
const (
	Drain = "drain" // as at a deployment: they close their clients, then end
	Crash = "kill"  // SIGKILL
)

var storm = kind{
	name:       Storm,
	says:       "all servers are restarted (-how drain) or killed and started again (-how kill), all clients come back, then a chat",
	flags:      chatFlags("how"),
	reconnects: true,
}
