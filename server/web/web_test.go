package web_test

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/roost-rt/roost/server/web"
)

func read(t *testing.T, name string) string {
	t.Helper()
	content, err := fs.ReadFile(web.Files(), name)
	if err != nil {
		t.Fatalf("ReadFile(%q) = %v", name, err)
	}
	return string(content)
}

// A browser runs a module only if its media type is JavaScript's.
func TestFilesAreServedWithTheirTypes(t *testing.T) {
	server := http.FileServerFS(web.Files())
	for _, tt := range []struct{ path, mediaType string }{
		{"/", "text/html"},
		{"/chat.css", "text/css"},
		{"/chat.js", "text/javascript"},
		{"/icon.svg", "image/svg+xml"},
		{"/phoenix.mjs", "text/javascript"},
		{"/phoenix.LICENSE.md", "text/"},
	} {
		answer := httptest.NewRecorder()
		server.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, tt.path, nil))
		if answer.Code != http.StatusOK || answer.Body.Len() == 0 {
			t.Errorf("GET %s = %d with %d bytes, want 200 and a body", tt.path, answer.Code, answer.Body.Len())
		}
		if got := answer.Header().Get("Content-Type"); !strings.HasPrefix(got, tt.mediaType) {
			t.Errorf("GET %s has Content-Type %q, want %s", tt.path, got, tt.mediaType)
		}
	}
}

func TestPhoenixClientIsThePublishedOne(t *testing.T) {
	// npm pack phoenix@1.8.16; sha256sum package/priv/static/phoenix.mjs
	const want = "36e6f701a40a47988a4810a308cf54f9b441e5c4b68b83797fec4f69becb1627"
	if got := fmt.Sprintf("%x", sha256.Sum256([]byte(read(t, "phoenix.mjs")))); got != want {
		t.Errorf("SHA-256 of phoenix.mjs = %s, want %s", got, want)
	}
	if license := read(t, "phoenix.LICENSE.md"); !strings.Contains(license, "MIT License") {
		t.Errorf("phoenix.LICENSE.md = %q, want the MIT licence", license)
	}
}

// The page's content security policy allows neither.
func TestPageHasNothingInline(t *testing.T) {
	page := read(t, "index.html")
	for _, inline := range []string{`<style`, `\sstyle=`, `\son\w+=`, `<script>`, `javascript:`, `data:`} {
		if found := regexp.MustCompile(inline).FindString(page); found != "" {
			t.Errorf("index.html contains %q", found)
		}
	}
}

func TestPageRefersOnlyToItsOwnFiles(t *testing.T) {
	references := regexp.MustCompile(`(?:href|src)="([^"]*)"`).FindAllStringSubmatch(read(t, "index.html"), -1)
	if len(references) == 0 {
		t.Fatal("index.html refers to no file")
	}
	for _, reference := range references {
		if _, err := fs.Stat(web.Files(), reference[1]); err != nil {
			t.Errorf("index.html refers to %q: %v", reference[1], err)
		}
	}
}
