// Package proc starts the processes of a run, and reads what they take.
//
// [Start] starts any [Child], [StartServer] a server. Children end with whoever
// started them: their standard input does, and the kernel kills those that outlive
// the thread.
//
// # Process
//
// Code of this package runs in the coordinator and in agents. [OwnUsage], [OwnHost], [Look],
// [TimerSlack], [YieldToServers] and [KeepUpWithServers] are for a process of clients. The limits of the
// host are package kernel's.
//
// # Concurrency
//
// A Child and a Server belong to one goroutine; their Go channels are for any.
package proc
