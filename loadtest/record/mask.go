package record

import (
	"regexp"
	"strings"

	"github.com/roost-rt/roost/server/secret"
)

// hidden stands for what is secret.
const hidden = "[FILTERED]"

// Masked is r without what is secret by its name (package secret) in the command, the
// settings and the plan: records are passed on.
func (r Run) Masked() Run {
	r.Command = maskedCommand(r.Command)
	r.Config, _ = masked(r.Config).(map[string]any)
	plan := make([]string, len(r.Plan))
	for i, sentence := range r.Plan {
		plan[i] = Masked(sentence)
	}
	if r.Plan != nil {
		r.Plan = plan
	}
	return r
}

var (
	// password is of a URL: RFC 3986 §3.2.1.
	password = regexp.MustCompile(`(://[^/?#\s:@"']*:)[^/?#\s@"']+@`)

	// assignment is of a query, a cookie or a flag. Its value may have commas, but does not
	// end with one.
	assignment = regexp.MustCompile(`([^&;?,=\s"'/]+)=([^&;#\s"']*[^&;,#\s"'])`)

	// header is one alone, or as the value of a flag.
	header = regexp.MustCompile(`^(--?[a-z-]+=)?([^\s:=/"']+):\s*(.+)$`)
)

// Masked returns a text without values that are secret by their names: the password of a
// URL, the value of a parameter or of a header.
func Masked(text string) string {
	text = password.ReplaceAllString(text, "${1}"+hidden+"@")
	if h := header.FindStringSubmatch(text); h != nil && secret.Named(h[2]) && !strings.HasPrefix(h[3], "//") {
		return h[1] + h[2] + ": " + hidden
	}
	return assignment.ReplaceAllStringFunc(text, maskedAssignment)
}

// maskedAssignment is one "name=value". The value may be another: -param=token=x.
func maskedAssignment(text string) string {
	name, value, found := strings.Cut(text, "=")
	switch {
	case !found:
		return text
	case secret.Named(name):
		return name + "=" + hidden
	}
	return name + "=" + maskedAssignment(value)
}

// maskedCommand also hides the argument behind a flag that is named like a secret.
func maskedCommand(args []string) (shown []string) {
	for i, arg := range args {
		if i > 0 && strings.HasPrefix(args[i-1], "-") && !strings.Contains(args[i-1], "=") && secret.Named(args[i-1]) {
			arg = hidden
		}
		shown = append(shown, Masked(arg))
	}
	return shown
}

// masked is a value that is made of maps, lists and texts.
func masked(v any) any {
	switch v := v.(type) {
	case map[string]any:
		shown := make(map[string]any, len(v))
		for key, value := range v {
			if shown[key] = masked(value); secret.Named(key) {
				shown[key] = hidden
			}
		}
		return shown
	case []any:
		shown := make([]any, len(v))
		for i, value := range v {
			shown[i] = masked(value)
		}
		return shown
	case string:
		return Masked(v)
	}
	return v
}
