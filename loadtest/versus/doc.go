// Package versus compares servers on one host, by turns: the same clients, messages
// and settings for each, in rounds, each round in another order.
//
// [Parse] makes a [Contest] of a command's arguments, Play has it fought, Save
// writes what came of it. Figures are medians of the rounds.
//
// # Process
//
// Code of this package runs in a process of its own, which starts one coordinator
// after the other and reads the records that they leave. Nothing runs at the same
// time.
package versus
