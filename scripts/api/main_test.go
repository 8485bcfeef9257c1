package main

import (
	"os"
	"slices"
	"strings"
	"testing"
)

// What others build on does not change without somebody saying so.
func TestAPI(t *testing.T) {
	var now strings.Builder
	if err := list(&now); err != nil {
		t.Fatal(err)
	}
	said, err := os.ReadFile("api.txt")
	if err != nil {
		t.Fatal(err)
	}
	was, is := strings.Split(string(said), "\n"), strings.Split(now.String(), "\n")
	for _, line := range was {
		if !slices.Contains(is, line) {
			t.Errorf("gone: %s", line)
		}
	}
	for _, line := range is {
		if !slices.Contains(was, line) {
			t.Errorf("new: %s", line)
		}
	}
	if now.String() != string(said) {
		t.Error("the API has changed. If that is meant, name it in CHANGELOG.md, and: go run ./scripts/api >scripts/api/api.txt")
	}
}
