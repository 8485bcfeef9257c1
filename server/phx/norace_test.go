//go:build !race

package phx_test

const raceDetector = false
