package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

func firstChat(p *path) (string, error) {
	if _, err := p.run(p.folder, "git clone -q "+p.root+" "+p.clone); err != nil {
		return "", err
	}
	commands, err := p.commands("README.md", "go run ./server ")
	if err != nil {
		return "", err
	}
	if err := p.serve(p.clone, commands[0], p.chat); err != nil {
		return "", err
	}
	return p.look("chat", "http://"+p.chat, "http://"+p.chat)
}

const start = "server/GETTING-STARTED.md"

// module stands for "go get", as long as the module has no place to get it from.
const module = `go() {
	if [[ $1 == get ]]; then
		command go mod edit -require github.com/roost-rt/roost@v0.0.0 -replace github.com/roost-rt/roost="$ROOST"
	else
		GOFLAGS=-mod=mod command go "$@"
	fi
}
`

func ownChannel(p *path) (string, error) {
	commands, err := p.commands(start, "mkdir hello")
	if err != nil {
		return "", err
	}
	said, err := p.run(p.folder, module+strings.Join(commands, "\n"))
	if err != nil {
		return "", err
	}
	lines := strings.Split(strings.TrimSpace(said), "\n")
	return strings.Join(strings.Fields(lines[len(lines)-1]), " "), nil // of go test
}

func twoNodes(p *path) (string, error) {
	if err := p.serve(p.folder, "nats-server -a "+strings.Replace(p.nats, ":", " -p ", 1), p.nats); err != nil {
		return "", err
	}
	commands, err := p.commands("pubsub/CLUSTERING.md", "go run ./server -addr")
	if err != nil {
		return "", err
	}
	for i, address := range []string{p.chat, p.second} {
		if err := p.serve(p.clone, commands[i], address); err != nil {
			return "", err
		}
	}
	return p.look("chat", "http://"+p.chat, "http://"+p.second)
}

func livePage(p *path) (string, error) {
	const page = "server/OPERATING.md"
	commands, err := p.commands(page, "go build -o roost-chat")
	if err != nil {
		return "", err
	}
	load, err := p.commands(page, "go run ./loadtest -url ws:")
	if err != nil {
		return "", err
	}
	if _, err := p.run(p.clone, commands[0]); err != nil {
		return "", err
	}
	if err := p.serve(p.clone, commands[1], p.admin); err != nil {
		return "", err
	}
	if err := p.begin(p.clone, load[0]); err != nil {
		return "", err
	}
	return p.look("live", "http://"+p.admin, "1000")
}

// ownLoad goes on with the page that ownChannel began.
func ownLoad(p *path) (string, error) {
	all, err := p.blocks(start)
	if err != nil {
		return "", err
	}
	folder, seen, said := filepath.Join(p.folder, "hello"), "", ""
	for _, b := range all[1:] {
		name, isFile := strings.CutPrefix(b.mark, "file: ")
		switch {
		case isFile:
			err = os.WriteFile(filepath.Join(folder, name), []byte(b.text), 0o644)
		case b.mark == "in the background":
			if err = p.serve(folder, b.text, p.chat); err == nil {
				seen, err = p.look("hello", "http://"+p.chat)
			}
		default:
			said, err = p.run(folder, module+b.text)
		}
		if err != nil {
			return "", err
		}
	}
	delivered := regexp.MustCompile(`delivered +80,?000`).FindString(said)
	if delivered == "" {
		return "", fmt.Errorf("200 people who say 2 things each did not get 80,000 messages:\n%s", said)
	}
	return seen + "; " + strings.Join(strings.Fields(delivered), " "), nil
}
