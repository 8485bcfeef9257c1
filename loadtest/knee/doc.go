// Package knee finds the highest load that still holds a promise, by trials whose
// outcomes depend on chance, too.
//
// It is pure: no clock, no goroutines, no I/O. The caller asks [Search.Next] for a load,
// makes the trial and gives [Search.Tell] the outcome, for as long as there is a next
// load. At any moment [Search.Knee] returns what is known so far.
//
// # How it searches
//
// The loads are a geometric series: each is a little more than the one before. From
// the first, the search goes up in steps of about two until a trial breaks, or down
// until one holds, and halves what is between. Then it makes sure of the border: of
// the highest load that holds and of the next one, which does not, as many trials as
// it takes to be sure. A load holds when at most one in five of its trials breaks.
// A border that was chance moves, and the search goes on from there.
//
// A Search belongs to one goroutine.
package knee
