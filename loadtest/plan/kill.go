package plan

// Kill is a chat during which one of several servers is killed.
const Kill Scenario = "kill"

var kill = kind{
	name:       Kill,
	says:       "a chat during which one of several servers is killed: its clients go to the others",
	flags:      chatFlags(),
	reconnects: true,
	spare:      1, // the others must have room for its clients
}
