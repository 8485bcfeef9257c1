//go:build race

package phx_test

// raceDetector: sync.Pool drops what it is given now and then, so that counts
// of allocations say nothing.
const raceDetector = true
