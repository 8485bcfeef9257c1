package conduct_test

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strings"
	"testing"

	"github.com/roost-rt/roost/loadtest/plan"
	"github.com/roost-rt/roost/loadtest/record"
)

// roomy writes JSON with spaces, and keys in their reverse order.
func roomy(text string) string {
	var parts []any
	if err := json.Unmarshal([]byte(text), &parts); err != nil {
		return text
	}
	if answer, ok := parts[4].(map[string]any); ok && answer["status"] != nil {
		response, _ := json.Marshal(answer["response"]) // of what was JSON
		parts[4] = json.RawMessage(`{"status" : "` + answer["status"].(string) + `", "response" : ` + string(response) + `}`)
	}
	var b bytes.Buffer
	b.WriteString("[ ")
	for i, part := range parts {
		if i > 0 {
			b.WriteString(" , ")
		}
		text, _ := json.Marshal(part)
		b.Write(text)
	}
	return b.String() + " ]"
}

// A server may spell its JSON as it likes, and answer with more than was asked.
func TestForeignSpelling(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		spell func(string) string
	}{
		{"spaces", roomy},
		{"typed handler", func(text string) string { return strings.Replace(text, `{"body":`, `{"from":"somebody","body":`, 1) }},
		{"name of the event in the join reply", func(text string) string {
			return strings.Replace(text, `"phx_reply",{"response":{}`, `"phx_reply",{"response":{"events":["new_msg",7]}`, 1)
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := (&fake{spell: test.spell}).start(t)
			end, _, err := run(t, t.Context(), config(f))
			if err != nil {
				t.Fatalf("Run() = %v", err)
			}
			if want := (account{50, 300, 300, 0, 0, 0}); accountOf(end) != want || len(end.Errors) > 0 {
				t.Errorf("account %+v, errors %v, want %+v", accountOf(end), end.Errors, want)
			}
		})
	}
}

// What came and has no stamp is not lost.
func TestUnreadableIsNotLost(t *testing.T) {
	t.Parallel()
	stamp := regexp.MustCompile(`stamp-\d+-2-[^x]*`) // of the second message
	f := (&fake{spell: func(text string) string { return stamp.ReplaceAllString(text, "") }}).start(t)
	cfg := config(f)
	end, records, err := run(t, t.Context(), cfg)
	if err != nil {
		t.Fatalf("Run() = %v", err)
	}
	if want := (account{50, 300, 250, 0, 0, 0}); accountOf(end) != want || end.Unreadable != 50 {
		t.Errorf("account %+v and %d unreadable, want %+v and 50", accountOf(end), end.Unreadable, want)
	}
	if !noted(records, `50 received messages could not be read`, `"new_msg",{"body":"xxx`) {
		t.Error("no note with an example")
	}
}

func noted(records []record.Record, parts ...string) bool {
	for _, r := range records {
		found := r.Note != nil
		for _, part := range parts {
			found = found && strings.Contains(r.Note.Message, part)
		}
		if found {
			return true
		}
	}
	return false
}

// An error reply is one error: its ping was answered.
func TestPingRefused(t *testing.T) {
	t.Parallel()
	refusal := regexp.MustCompile(`\{"status":"ok","response":\{"body.*\}`)
	f := (&fake{spell: func(text string) string {
		return refusal.ReplaceAllString(text, `{"response":{"reason":"overloaded"},"status":"error"}`)
	}}).start(t)
	cfg := config(f)
	cfg.Scenario, cfg.Rate, cfg.For = plan.Echo, 20, stands
	end, _, err := run(t, t.Context(), cfg)
	if err != nil {
		t.Fatalf("Run() = %v", err)
	}
	if n := end.Errors["ping refused: overloaded"]; len(end.Errors) != 1 || n == 0 {
		t.Errorf("errors %v, want only of ping refused: overloaded", end.Errors)
	}
}
