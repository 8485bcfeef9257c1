// Package gen writes the first version of a channel, a socket or a presence, with its tests,
// for people to go on from, as mix phx.gen.channel, phx.gen.socket and
// phx.gen.presence do (spec §12).
//
// It knows no other package of the project; the templates do. The server does not
// know it either, because text/template calls methods by name: the linker then keeps
// every exported method of every type, which would be 4 MB of the server.
package gen

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
)

// usage has the name of the program for each %[1]s.
const usage = `usage: %[1]s channel [flags] NAME
       %[1]s socket [flags] NAME
       %[1]s presence [flags] NAME

Writes Go files to start from, and says what to do next. NAME is in CamelCase.

  channel Chat   chat_channel.go: topics chat:* with a check in join, ping and shout;
                 chat_channel_test.go
  socket User    user_socket.go: a mount where users connect with a token;
                 user_socket_test.go; user_socket.mjs for the browser
  presence Room  room_presence.go: topics room:* where people see who is there;
                 room_presence_test.go; room_presence.mjs for the browser

The files import github.com/roost-rt/roost, so they belong in a module that
requires it. Nothing that is there already is changed without -force.

flags:
`

// Main runs the generators and returns the exit code: 0 after it has written
// everything, 1 if it could not, 2 for wrong arguments. program is the command line
// that people type to get here.
func Main(program string, args []string, stdout, stderr io.Writer) int {
	if len(args) == 0 {
		args = []string{"-help"}
	}
	flags := flag.NewFlagSet("gen", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	name := path.Base(program) // of errors
	var p plan
	flags.StringVar(&p.dir, "dir", ".", "`folder` to write to; it is created if missing")
	flags.StringVar(&p.pkg, "package", "", "`name` of the package; default: that of the Go files in the folder, or else the folder's own")
	flags.BoolVar(&p.force, "force", false, "overwrite files")
	words, err := parse(flags, args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprintf(stdout, usage, program)
		flags.SetOutput(stdout)
		flags.PrintDefaults()
		return 0
	case err != nil:
		fmt.Fprintf(stderr, "%s: %v; see -help\n", name, err)
		return 2
	case len(words) != 2:
		fmt.Fprintf(stderr, "%[1]s: want what to generate and its name, such as: %[1]s channel Chat; see -help\n", name)
		return 2
	}
	p.kind = words[0]
	if p.name, err = parseName(words[1], p.kind); err == nil {
		err = p.run(stdout)
	}
	var wrong *argumentError
	switch {
	case errors.As(err, &wrong):
		fmt.Fprintf(stderr, "%s: %v; see -help\n", name, err)
		return 2
	case err != nil:
		fmt.Fprintf(stderr, "%s: %v\n", name, err)
		return 1
	}
	return 0
}

// parse parses flags that may stand anywhere, and returns the rest.
func parse(flags *flag.FlagSet, args []string) (words []string, err error) {
	for {
		if err := flags.Parse(args); err != nil || flags.NArg() == 0 {
			return words, err
		}
		words = append(words, flags.Arg(0))
		args = flags.Args()[1:]
	}
}

// A plan says what to generate.
type plan struct {
	kind  string // "channel", "socket" or "presence": a folder of templates
	name  name
	dir   string
	pkg   string // "" to find out
	force bool
}

// run does all the checks before it writes the first file.
func (p *plan) run(stdout io.Writer) error {
	there, err := inspect(p.dir)
	if err != nil {
		return err
	}
	if p.pkg == "" {
		p.pkg = cmp.Or(there.pkg, packageName(p.dir))
	}
	files, err := p.render()
	if err != nil {
		return err
	}
	if err := there.accept(p, files); err != nil {
		return err
	}
	if err := os.MkdirAll(p.dir, 0o777); err != nil {
		return err
	}
	for _, f := range files {
		path := filepath.Join(p.dir, f.name)
		if err := p.write(path, f.text); err != nil {
			return err
		}
		fmt.Fprintln(stdout, "wrote", path)
	}
	next, err := p.execute("templates/" + p.kind + ".next")
	if err != nil {
		return err
	}
	_, err = stdout.Write(next)
	return err
}

func (p *plan) write(path string, text []byte) error {
	if p.force {
		return os.WriteFile(path, text, 0o666)
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666) // somebody may have been faster
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	return errors.Join(err, f.Close())
}
