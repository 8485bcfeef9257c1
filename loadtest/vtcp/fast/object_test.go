package fast_test

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"strings"
	"testing"
)

// TestObjects holds the objects in the tree to their source, by the sums that
// scripts/bpf wrote when it built one from the other.
func TestObjects(t *testing.T) {
	sums, err := os.ReadFile("program.sum")
	if err != nil {
		t.Fatal(err)
	}
	files := 0
	for line := range strings.Lines(string(sums)) {
		want, name, found := strings.Cut(strings.TrimSpace(line), "  ")
		if !found || strings.HasPrefix(line, "#") {
			continue
		}
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if sum := sha256.Sum256(b); hex.EncodeToString(sum[:]) != want {
			t.Errorf("%s is not what scripts/bpf left: run it again", name)
		}
		files++
	}
	if files != 5 {
		t.Errorf("program.sum names %d files, want the source, two objects and their Go", files)
	}
}
