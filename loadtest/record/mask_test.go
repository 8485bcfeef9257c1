package record_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/roost-rt/roost/loadtest/record"
)

func TestMasked(t *testing.T) {
	for _, test := range []struct{ text, want string }{
		{"ws://h:4000/p?vsn=2.0.0&token=abc&room=1", "ws://h:4000/p?vsn=2.0.0&token=[FILTERED]&room=1"},
		{"ws://h/p?user_Token=a%20b", "ws://h/p?user_Token=[FILTERED]"},
		{"wss://al:hunter2@h/p", "wss://al:[FILTERED]@h/p"},
		{"wss://al@h/p", "wss://al@h/p"},
		{"ws://token:4000/socket", "ws://token:4000/socket"},
		{"token:4000", "token: [FILTERED]"}, // may be a header
		{"Authorization: Bearer abc", "Authorization: [FILTERED]"},
		{"Cookie:a=b; c=d", "Cookie: [FILTERED]"},
		{"-header=Cookie: a=b; c=d", "-header=Cookie: [FILTERED]"},
		{"X-Trace: 1", "X-Trace: 1"},
		{"-param=token=abc", "-param=token=[FILTERED]"},
		{"lost=0,p99<500ms", "lost=0,p99<500ms"},
		{"10,000 clients of ws://al:pw@h/p?token=abc, at 2 agents.", "10,000 clients of ws://al:[FILTERED]@h/p?token=[FILTERED], at 2 agents."},
		{"all are told at 10:20", "all are told at 10:20"},
	} {
		if got := record.Masked(test.text); got != test.want {
			t.Errorf("Masked(%q) = %q, want %q", test.text, got, test.want)
		}
	}
}

// Nothing of a run's secrets is in its record, wherever it was said, and all else is.
func TestRunMasked(t *testing.T) {
	run := record.Run{
		Command: []string{"loadtest", "-url", "ws://al:s3cret@h/p?token=s3cret&a=open1", "-header", "Cookie: s3cret", "-header=Authorization: s3cret", "-auth-token", "s3cret",
			"-auth-token=s3cret", "-param", "api_key=s3cret", "-param", "room=open2", "-slo", "lost=0"},
		Config: map[string]any{
			"url": "ws://al:s3cret@h/p?token=s3cret", "auth_token": "s3cret", "headers": []any{"Cookie: s3cret", "X: open3"}, "params": []any{"userToken=s3cret"},
			"users": map[string]any{"password": []any{"s3cret"}, "name": "open4"}, "rate": 2.0,
		},
		Plan: []string{"10 clients of ws://al:s3cret@h/p?token=s3cret."},
	}
	before, err := json.Marshal(run)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(run.Masked())
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(text), "s3cret") {
		t.Errorf("the record tells: %s", text)
	}
	for _, want := range []string{"open1", "open2", "open3", "open4", "lost=0", `"rate":2`, "10 clients of ws://al:"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("the record lacks %s: %s", want, text)
		}
	}
	if after, _ := json.Marshal(run); string(after) != string(before) {
		t.Error("the run itself was changed")
	}
}
