package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// fence finds files and commands of a page, each with the mark before it.
var fence = regexp.MustCompile("(?m)^(?:<!-- (.+) -->\n)?```[a-z]*\n((?s:.*?))^```$")

// A block is text that a page says to type.
type block struct{ mark, text string }

// blocks returns the blocks of a page of the clone, with free addresses.
func (p *path) blocks(page string) (all []block, err error) {
	text, err := os.ReadFile(filepath.Join(p.clone, page))
	for _, m := range fence.FindAllStringSubmatch(p.replaced.Replace(string(text)), -1) {
		all = append(all, block{m[1], m[2]})
	}
	return all, err
}

// commands are the lines of the block of a page that begins with what is known of it.
func (p *path) commands(page, known string) ([]string, error) {
	all, err := p.blocks(page)
	for _, b := range all {
		if strings.HasPrefix(b.text, known) {
			return strings.Split(strings.TrimSpace(b.text), "\n"), nil
		}
	}
	if err == nil {
		err = fmt.Errorf("%s has no block that begins with %q: has the page changed?", page, known)
	}
	return nil, err
}
