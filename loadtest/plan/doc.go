// Package plan decides how a run uses the machines that it has.
//
// A [Config] says what somebody wants, a kernel.Host what there is; [New] makes a
// [Plan] of the two, or refuses, and says why in sentences. [NewAt] does so for
// other load machines.
//
// # Process
//
// Code of this package runs in the coordinator, before the run. It is pure, except
// that it looks up the name of a server. All types are values.
package plan
