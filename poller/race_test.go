//go:build race

package poller_test

const raceDetector = true
