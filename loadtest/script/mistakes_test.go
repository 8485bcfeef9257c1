package script_test

import (
	"strings"
	"testing"
)

// reads loads a scenario file and wants an error with a text in it, or none for "".
func reads(t *testing.T, text, want string) {
	t.Helper()
	_, _, err := load(text)
	switch {
	case want == "" && err != nil:
		t.Errorf("%s\nis refused: %v", text, err)
	case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
		t.Errorf("%s\n= %v, want %q", text, err, want)
	}
}

// A value of another kind is refused with its line, its place, and what to write.
func TestKindsOfValues(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"hello":                                         `line 1: "hello": want keys and their values`,
		"- topics":                                      "line 1: want keys and their values",
		"target: ws://a/":                               `line 1: target: "ws://a/": want keys and their values`,
		"topics: room:a":                                `line 1: topics: "room:a": want a list`,
		"topics: {topic: a}":                            "line 1: topics: want a list",
		"topics: [room:a]":                              `line 1: topics[0]: "room:a": want keys and their values`,
		"steps:\n  - push: [a]":                         "line 2: steps[0].push: want a text",
		"target: {urls: ws://a/}":                       `target.urls: "ws://a/": want a list`,
		"target: {params: [a]}":                         "target.params: want names and their values",
		"target: {params: token}":                       `target.params: "token": want names and their values`,
		"target: {params: {a: [b]}}":                    "want a text here",
		"target: {tls: {insecure: maybe}}":              `target.tls.insecure: "maybe": want true or false`,
		"users: {count: many}":                          `users.count: "many": want a whole number`,
		"users: {count: 1.5}":                           `users.count: "1.5": want a whole number`,
		"users: {count: 99999999999999999999}":          "want a whole number",
		"users: {connect: fast}":                        `users.connect: "fast": want a number`,
		"rounds: [3]":                                   "rounds: want a whole number",
		"rate: high":                                    `rate: "high": want a number`,
		"stages: [{users: all, for: 1s}]":               `stages[0].users: "all": want a whole number`,
		"stages: [{users: 1, for: 1s, rate: x}]":        `stages[0].rate: "x": want a number`,
		"stages: {for: 1s}":                             "stages: want a list",
		"topics: [{topic: a, later: 1}]":                `topics[0].later: "1": want true or false`,
		"topics: [{topic: a, reply: ok}]":               `topics[0].reply: "ok": want keys and their values`,
		"topics: [{topic: a, reply: {save: [b]}}]":      "topics[0].reply.save: want names and their values",
		"topics: [{topic: a, reply: {save: {b: [c]}}}]": "topics[0].reply.save.b: want a text",
		"steps: [{repeat: {times: twice, steps: []}}]":  `steps[0].repeat.times: "twice": want a whole number`,
		"steps: [{choose: {weight: 1}}]":                "steps[0].choose: want a list",
		"steps: [{choose: [{weight: heavy}]}]":          `steps[0].choose[0].weight: "heavy": want a number`,
		"steps: [{choose: [{steps: [{repeat: {steps: [{puhs: a}]}}]}]}]": "no key steps[0].choose[0].steps[0].repeat.steps[0].puhs: did you mean push?",
		"steps: [{push: a, reply: {within: 2}}]":                         `"2" is no time`,
		"slo: {p99: 1s}":                                                 "want thresholds such as p99<200ms",
		"for: [1s]":                                                      "is no time",
		"for: -1s":                                                       `"-1s" is no time`,
		"steps: [{wait: 3s..1s}]":                                        `"3s..1s" is no time to wait`,
		"steps: [{wait: 0s}]":                                            `"0s" is no time to wait`,
		"steps: [{wait: -1s..1s}]":                                       `"-1s..1s" is no time to wait`,
		"steps: [{wait: [1s]}]":                                          "is no time to wait",
	} {
		reads(t, text+"\n", want)
	}
}

// A key with nothing behind it would be passed over, and a reply or a broadcast that
// somebody wants not be waited for.
func TestNothingBehind(t *testing.T) {
	t.Parallel()
	const braces, leave = "there is nothing behind it: leave it out, or say {} for its defaults", "there is nothing behind it: leave it out, or say what it is"
	for text, want := range map[string]string{
		small + "rounds: 1\nsteps:\n  - push: a\n    broadcast:\n":    "line 8: steps[0].broadcast: " + braces,
		small + "rounds: 1\nsteps:\n  - push: a\n    reply: ~\n":      "line 8: steps[0].reply: " + braces,
		small + "rounds: 1\nsteps:\n  - push: a\n    payload: null\n": "line 8: steps[0].payload: " + leave,
		small + "users:\n":                              "line 5: users: " + braces,
		small + "steps:\n":                              "line 5: steps: " + leave,
		small + "for:\n":                                "line 5: for: " + leave,
		small + "steps:\n  - push: a\n  -\n":            "line 7: steps[1]: " + leave,
		"topics:\n  -\n":                                "line 2: topics[0]: " + braces,
		"target: {params: {token: }}\ntopics: []\n":     "target.params.token: " + leave,
		"topics: [{topic: a, reply: {save: {id: }}}]\n": "topics[0].reply.save.id: " + leave,
		"~\n":             braces,
		small + "x: &a\n": "no key x",
		small + "rounds: 1\nsteps: [{push: a, reply: {}, payload: {}, name: ''}]\n": "",
		small + "rounds: 1\nsteps: [{push: a, payload: {a: null, b: [~]}}]\n":       "", // JSON has it
	} {
		reads(t, text, want)
	}
}

// A template where none is filled in would be sent as it stands there. What it is is
// not said: of a URL it may be a token.
func TestNoTemplateHere(t *testing.T) {
	t.Parallel()
	const steps = small + "rounds: 1\nsteps:\n"
	for text, place := range map[string]string{
		`target: {url: "ws://a/?token=s3cret{{n}}"}`:                                    "target.url",
		`target: {urls: ["ws://a/", "ws://{{n}}/"]}`:                                    "target.urls[1]",
		`target: {subprotocols: ["{{user.id}}"]}`:                                       "target.subprotocols[0]",
		`target: {tls: {serverName: "{{n}}.test"}}`:                                     "target.tls.serverName",
		`users: {file: "{{env.KEY}}.csv"}`:                                              "users.file",
		`topics: [{topic: a, reply: {save: {x: "{{n}}.id"}}}]`:                          "topics[0].reply.save.x",
		steps + `  - push: "{{n}}"`:                                                     "steps[0].push",
		steps + `  - expect: "said_{{n}}"`:                                              "steps[0].expect",
		steps + `  - {push: a, payload: {s: "{{stamp}}"}, broadcast: {event: "{{n}}"}}`: "steps[0].broadcast.event",
	} {
		_, _, err := load(text + "\n")
		if err == nil || !strings.Contains(err.Error(), place+": {{…}} stands for nothing here") || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s\n= %v, want that %s has no templates, and not what it is", text, err, place)
		}
	}
	// Topics may be called as they are written.
	reads(t, `
target: {url: ws://a/}
topics: [{topic: "room:{{n}}", later: true}]
rounds: 1
steps:
  - join: room:{{n}}
  - {push: a, topic: "room:{{n}}", name: "a {{n}}", payload: {s: "{{stamp}}"}, broadcast: {topic: "room:{{n}}"}}
  - leave: room:{{n}}
`, "")
}

// {{n}} without quotes is a map within a map to YAML, which says so in words of its own.
func TestBracesWithoutQuotes(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"topics:\n  - topic: {{user.room}}\n",
		"topics: [{topic: {{n}}}]\n",
		small + "rounds: 1\nsteps:\n  - push: a\n    payload: {id: {{n}}}\n",
		small + "rounds: 1\nsteps:\n  - push: a\n    payload: {{{n}}: 1}\n",
		"target: {params: {token: {{user.token}}}}\n",
	} {
		reads(t, text, `{{…}} needs quotes, as in "{{n}}"`)
	}
	reads(t, "topics:\n  - topic: room:{{n}}\n", "") // this is a text to YAML, too
}

// What YAML can say twice, or without end, is refused.
func TestOneMeaning(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		small + "rounds: 1\nsteps: &a\n  - repeat: {times: 2, steps: *a}\n":              "anchor 'a' value contains itself",
		small + "rounds: 1\nsteps:\n  - {push: a, payload: &p {more: [*p]}}\n":           "anchor 'p' value contains itself",
		small + "rounds: 1\nrounds: 2\n":                                                 `"rounds" already defined`,
		small + "rounds: 1\nsteps:\n  - push: a\n    payload: {a: 1, b: {c: 1, c: 2}}\n": `line 8: mapping key "c" already defined at line 8`,
		small + "---\nrounds: 1\n":                                                       "there is more behind ---",
		small + "---\n]\n":                                                               "there is more behind ---",
		small + "steps:\n\t- push: a\n":                                                  "(a tab? YAML is indented with spaces)",
		small + "...\n":                                                                  "",
		"---\n" + small:                                                                  "",
		"\xef\xbb\xbf" + strings.ReplaceAll(small, "\n", "\r\n"):                         "",
		small + "rounds: 1\nsteps:\n  - &s {push: a, reply: {}}\n  - *s\n  - {<<: *s, push: b}\n": "",
	} {
		reads(t, text, want)
	}
	text := small + "rounds: 1\nsteps:\n  - {push: a, payload: {x0: &x0 [a, a, a, a, a, a, a, a, a, a]" // a billion of them
	for _, n := range []string{"1", "2", "3", "4", "5", "6", "7", "8", "9"} {
		was := "*x" + string(n[0]-1)
		text += ", x" + n + ": &x" + n + " [" + strings.Repeat(was+", ", 9) + was + "]"
	}
	reads(t, text+"}}\n", "excessive aliasing")
}

// Who misspells a key is told which one is like it, or all that there are.
func TestSuggestions(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"Topics: []":                          "line 1: no key Topics: did you mean topics?",
		"topic: []":                           "did you mean topics?",
		"stpes: []":                           "did you mean steps?",
		"userss: {}":                          "did you mean users?",
		"slow: 1":                             "did you mean slo?",
		"scenario: chat":                      "there are for, rate, rounds, slo, stages, steps, target, topics, users",
		"target: {URL: a}":                    "no key target.URL: did you mean url?",
		"target: {header: {}}":                "did you mean headers?",
		"target: {auth_token: a}":             "did you mean authToken?",
		"target: {tls: {server_name: a}}":     "did you mean serverName?",
		"users: {files: a.csv}":               "no key users.files: did you mean file?",
		"topics: [{topic: a, params: {}}]":    "there are as, later, payload, reply, topic",
		"steps: [{push: a, expects: b}]":      "no key steps[0].expects: did you mean expect?",
		"steps: [{push: a, reply: {in: 1s}}]": "there are match, save, status, within",
		"stages: [{time: 1s}]":                "there are for, rate, users",
		"1: a\nnonsense: b":                   "no key nonsense",
	} {
		reads(t, text+"\n", want)
	}
}

// Numbers that are none, or of which there cannot be so many, are refused.
func TestAmounts(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"rate: .nan\nsteps: [{push: a}]":            "rate: want a number of rounds a second",
		"rate: -1\nsteps: [{push: a}]":              "rate: want a number of rounds a second",
		"rate: -.inf\nsteps: [{push: a}]":           "rate: want a number of rounds a second",
		"users: {connect: .nan}":                    "users.connect",
		"users: {connect: .inf}":                    "users.connect",
		"users: {connect: -1}":                      "users.connect",
		"users: {count: -1}":                        "users.count",
		"rounds: -1":                                "rounds: want a number, not below 0",
		"stages: [{for: 1s, users: -1}]":            "stages[0]: users and rate: want a number, not below 0",
		"stages: [{for: 1s, users: 1, rate: .nan}]": "stages[0]: users and rate",
		"stages: [{for: 1s, users: 1, rate: 1}, {for: 1s, users: 1, rate: .inf}]":       "stages[1]: users and rate",
		"stages: [{for: 1s, users: 1, rate: -1}]":                                       "stages[0]: users and rate",
		"rounds: 1\nsteps: [{choose: [{weight: .nan, steps: [{wait: 1s}]}]}]":           "choose[0].weight",
		"rounds: 1\nsteps: [{choose: [{steps: []}, {weight: .inf}]}]":                   "choose[1].weight",
		"rounds: 1\nsteps: [{choose: [{weight: 0}, {weight: 0, steps: [{wait: 1s}]}]}]": "choose: there is nothing to choose from, or all weights are 0",
		"rounds: 1\nsteps: [{choose: []}]":                                              "line 6: choose: there is nothing to choose from",
		"rounds: 1\nsteps: [{choose: [{weight: -1}]}]":                                  "choose[0].weight",
		"rounds: 1\nsteps: [{repeat: {times: 0, steps: []}}]":                           "repeat.times: want a number above 0",
		"rounds: 1\nsteps: [{repeat: {times: -2, steps: []}}]":                          "repeat.times: want a number above 0",
		"users: {count: 5}\nstages: [{for: 1s, users: 6}]":                              "stages[0]: 6 users, and users.count is 5",
		"users: {connect: 5}\nstages: [{for: 1s, users: 6}]":                            "users.connect: the stages say when users connect",
		"rounds: 3": "rounds: there are no steps to go through",
	} {
		reads(t, small+text+"\n", want)
	}
}

// A step is one thing, with what belongs to it.
func TestStepsAreOneThing(t *testing.T) {
	t.Parallel()
	const stampless = "put {{stamp}} into a field of the payload"
	for step, want := range map[string]string{
		"{}":                                            "this is ",
		"{name: a}":                                     "a step is one of",
		"{push: a, join: room:lobby}":                   "this is push and join",
		"{expect: a, repeat: {times: 1}}":               "this is expect and repeat",
		"{choose: [], wait: 1s, leave: a}":              "this is leave and wait and choose",
		"{wait: 1s, topic: room:lobby}":                 "topic does not belong to wait",
		"{join: room:lobby, payload: {a: 1}}":           "payload does not belong to join",
		"{leave: room:lobby, reply: {}}":                "reply does not belong to leave",
		"{expect: a, reply: {}}":                        "reply does not belong to expect",
		"{expect: a, broadcast: {}}":                    "broadcast does not belong to expect",
		"{expect: a, binary: b}":                        "binary does not belong to expect",
		"{push: a, match: {b: 1}}":                      "match does not belong to push",
		"{push: a, within: 1s}":                         "within does not belong to push",
		"{repeat: {times: 1}, within: 1s}":              "within does not belong to repeat",
		"{choose: [], payload: {a: 1}}":                 "payload does not belong to choose",
		"{join: other}":                                 `topic "other" is none of those under topics: room:lobby`,
		"{leave: other}":                                `topic "other" is none of those`,
		"{expect: a, topic: other}":                     `topic "other" is none of those`,
		"{push: a, payload: {a: 1}, binary: b}":         "payload and binary: the one or the other",
		"{push: a, broadcast: {}}":                      stampless,
		"{push: a, payload: {b: stamp}, broadcast: {}}": stampless,
		"{push: a, binary: \"{{n}}\", broadcast: {}}":   stampless,
		"{push: a, payload: {b: \"{{stamp}}\"}, broadcast: {to: nobody}}":                 `broadcast.to: "nobody": want all, others or self`,
		"{push: a, payload: {b: \"{{stamp}}\"}, broadcast: {topic: other}}":               `topic "other" is none of those`,
		"{repeat: {times: 2, steps: [{push: a, topic: other}]}}":                          `app.yaml: line 7: topic "other" is none`,
		"{choose: [{steps: [{push: a, reply: {status: no}}]}]}":                           `reply.status: "no"`,
		"{push: a, payload: {b: \"{{stamp}}\"}, broadcast: {to: self}}":                   "",
		"{push: a, binary: \"x{{stamp}}\", broadcast: {to: others, event: b}, reply: {}}": "",
		"{expect: a, topic: room:lobby, match: {b: 1}, within: 1s}":                       "",
	} {
		reads(t, small+"rounds: 1\nsteps:\n  - "+step+"\n", map[bool]string{true: "", false: want}[want == ""])
	}
}

// Steps that take no time would have users push as fast as they can.
func TestStepsTakeTime(t *testing.T) {
	t.Parallel()
	const hasty = "steps: nothing in them takes time"
	for steps, want := range map[string]string{
		"[{push: a}]":              hasty,
		"[{push: a}, {wait: 1ms}]": "",
		"[{push: a, reply: {}}]":   "",
		"[{push: a, payload: {b: \"{{stamp}}\"}, broadcast: {}}]":           "",
		"[{push: a, payload: {b: \"{{stamp}}\"}, broadcast: {to: others}}]": hasty, // nothing comes back to the sender
		"[{expect: a}]":                                                        "",
		"[{join: room:lobby}]":                                                 "",
		"[{leave: room:lobby}]":                                                "",
		"[{repeat: {times: 9, steps: [{push: a}]}}]":                           hasty,
		"[{repeat: {times: 9, steps: [{push: a}, {wait: 1s}]}}]":               "",
		"[{choose: [{steps: [{wait: 1s}]}, {steps: [{push: a}]}]}]":            hasty, // by chance
		"[{choose: [{steps: [{wait: 1s}]}, {weight: 0, steps: [{push: a}]}]}]": "",    // it is never chosen
		"[{choose: [{steps: [{wait: 1s}]}, {steps: [{push: a, reply: {}}]}]}]": "",
	} {
		reads(t, small+"steps: "+steps+"\n", want)
		if want != "" {
			reads(t, small+"rounds: 5\nsteps: "+steps+"\n", "")
			reads(t, small+"rate: 5\nsteps: "+steps+"\n", "")
		}
	}
}

// Targets are addresses of sockets, and what is said of TLS fits together.
func TestTargets(t *testing.T) {
	t.Parallel()
	for target, want := range map[string]string{
		"url: ws://a/socket": "",
		"url: wss://a":       "",
		"url: \"http://a:4000/socket/websocket?a=b\"": "",
		"url: https://a/":                   "",
		"urls: [ws://a/, ws://b/]":          "",
		"url: ws://a/, urls: [b]":           "target.url: want ws://host:port/socket",
		"url: a:4000":                       "target.url: want ws://host:port/socket",
		"url: ftp://a/":                     "target.url: want ws://host:port/socket",
		"url: ws:///socket":                 "target.url: want ws://host:port/socket",
		"url: \"ws://a b/\"":                "target.url: want ws://host:port/socket",
		"url: ws://a/, transport: longpoll": "",
		"url: ws://a/, transport: LongPoll": `target.transport: "LongPoll": want websocket or longpoll`,
		"url: ws://a/, vsn: 2":              `target.vsn: "2": want 2.0.0 or 1.0.0`,
		"url: ws://a/, vsn: 1.0.0":          "",
	} {
		text := "target: {" + target + "}\ntopics: [{topic: a}]\n"
		reads(t, text, want)
		if _, _, err := load(text); err != nil && strings.Contains(err.Error(), "4000/") {
			t.Errorf("%s: %v, which says the URL", target, err)
		}
	}
	_, s, err := load("target: {url: ws://a/, urls: [ws://b/, ws://c/]}\ntopics: [{topic: a}]\n")
	if err != nil || strings.Join(s.Target.URLs, " ") != "ws://a/ ws://b/ ws://c/" || s.Target.Vsn != "2.0.0" || s.Target.Transport != "websocket" {
		t.Errorf("target %+v, %v, want all URLs in order, and what there is without a word", s.Target, err)
	}
	if err := s.Retarget("ws://d/"); err != nil || strings.Join(s.Target.URLs, " ") != "ws://d/" {
		t.Errorf("with another URL: %v, %v", s.Target.URLs, err)
	}
	if err := s.Retarget("d"); err == nil {
		t.Error("d is taken for a URL")
	}
}
