package gen

import (
	"fmt"
	"go/token"
	"path/filepath"
	"regexp"
	"strings"
	"unicode"
)

// An argumentError is a mistake in the command line.
type argumentError struct{ text string }

func (e *argumentError) Error() string { return e.text }

func badArgument(format string, args ...any) error {
	return &argumentError{fmt.Sprintf(format, args...)}
}

// A name is the name of the thing to generate, in CamelCase and without its kind: Chat.
type name string

var camelCase = regexp.MustCompile(`^[A-Z][A-Za-z0-9]*$`)

// parseName understands the NAME of a kind. ChatChannel is Chat, too.
func parseName(arg, kind string) (name, error) {
	if folder, last, nested := cutLast(arg, "./"); nested {
		return "", badArgument("%q is nested: in Go that is a package of its own: -dir %s %s", arg, strings.ToLower(folder), last)
	}
	if !camelCase.MatchString(arg) {
		return "", badArgument("%q is no name in CamelCase, such as Chat or ChatRoom", arg)
	}
	suffix := strings.ToUpper(kind[:1]) + kind[1:]
	if short := strings.TrimSuffix(arg, suffix); short != "" {
		arg = short
	}
	return name(arg), nil
}

// cutLast cuts at the last of some characters.
func cutLast(s, chars string) (before, after string, found bool) {
	i := strings.LastIndexAny(s, chars)
	if i < 0 {
		return "", s, false
	}
	return s[:i], s[i+1:], true
}

// Snake is the name for files and topics: ChatRoom is chat_room, HTTPLog is
// http_log.
func (n name) Snake() string {
	var b strings.Builder
	runes := []rune(n)
	for i, r := range runes {
		startsWord := unicode.IsUpper(r) && i > 0 &&
			(!unicode.IsUpper(runes[i-1]) || i+1 < len(runes) && unicode.IsLower(runes[i+1]))
		if startsWord {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}

// Words is the name for people: chat room.
func (n name) Words() string { return strings.ReplaceAll(n.Snake(), "_", " ") }

// packageName makes a package name of a folder's, or "" if that is not possible.
func packageName(dir string) string {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return ""
	}
	s := strings.Map(func(r rune) rune {
		if r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r) {
			return unicode.ToLower(r)
		}
		return -1
	}, filepath.Base(abs))
	if !token.IsIdentifier(s) {
		return ""
	}
	return s
}
