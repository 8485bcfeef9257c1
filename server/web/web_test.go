package web_test

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"path"
	"regexp"
	"strings"
	"testing"

	"github.com/roost-rt/roost/server/web"
)

var pages = []string{"index.html", "scores/index.html", "cursors/index.html", "tabs/index.html"}

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
		{"/scores/", "text/html"},
		{"/style.css", "text/css"},
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

// The content security policy of the pages' server allows neither.
func TestPagesHaveNothingInline(t *testing.T) {
	for _, page := range pages {
		content := read(t, page)
		for _, inline := range []string{`<style`, `\sstyle=`, `\son\w+=`, `<script>`, `javascript:`, `data:`} {
			if found := regexp.MustCompile(inline).FindString(content); found != "" {
				t.Errorf("%s contains %q", page, found)
			}
		}
	}
}

var (
	inHTML   = regexp.MustCompile(`(?:href|src)="([^"#]+)"`)
	inModule = regexp.MustCompile(`(?m)^import .* from "(.*)";$`)
)

// Pages and modules refer to files that are there, in terms of their own place, so
// that the pages work below any path.
func TestFilesReferOnlyToEachOther(t *testing.T) {
	check := func(from, reference string) {
		t.Helper()
		if strings.HasPrefix(reference, "/") || strings.Contains(reference, ":") {
			t.Errorf("%s refers to %q: want a relative reference", from, reference)
		}
		to := path.Join(path.Dir(from), reference)
		if strings.HasSuffix(reference, "/") {
			to = path.Join(to, "index.html")
		}
		if _, err := fs.Stat(web.Files(), to); err != nil {
			t.Errorf("%s refers to %q: %v", from, reference, err)
		}
	}
	err := fs.WalkDir(web.Files(), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		reference := inHTML
		switch path.Ext(name) {
		case ".html":
		case ".js":
			reference = inModule
		default:
			return nil
		}
		for _, found := range reference.FindAllStringSubmatch(read(t, name), -1) {
			check(name, found[1])
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// The header is written out in every page; only the place differs.
func TestPagesHaveTheSameHeader(t *testing.T) {
	header := regexp.MustCompile(`(?s)<a class="skip".*</header>`)
	normal := func(page string) string {
		found := header.FindString(read(t, page))
		if strings.Count(found, ` aria-current="page"`) != 1 {
			t.Errorf("%s: want one link with aria-current in its header", page)
		}
		return strings.NewReplacer(` aria-current="page"`, "", `"../"`, `"./"`, `"../`, `"`).Replace(found)
	}
	want := normal(pages[0])
	for _, page := range pages[1:] {
		if got := normal(page); got != want {
			t.Errorf("header of %s:\n%s\nof %s:\n%s", page, got, pages[0], want)
		}
	}
}
