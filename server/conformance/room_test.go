package main_test

import (
	"fmt"
	"strings"
	"testing"
)

// The frames are written out as real Phoenix sends them; refs begin at numbers
// of their own, so that mixing them up shows.

func TestRoomReplies(t *testing.T) {
	const target = "/socket/websocket?vsn=2.0.0&user_id=7"
	runScriptsOverBoth(t, []script{
		{"heartbeat", target, `
			A> [null,"1","phoenix","heartbeat",{}]
			A< [null,"1","phoenix","phx_reply",{"response":{},"status":"ok"}]
			A> ["9",7,"phoenix","heartbeat",{}]
			A< [null,7,"phoenix","phx_reply",{"response":{},"status":"ok"}]
			A> [null,"1","phoenix","other",{}]
			A< [null,"1","phoenix","phx_reply",{"response":{"reason":"unmatched topic"},"status":"error"}]`},
		{"odd messages", target, `
			A> ["9",null,"phoenix","heartbeat",{}]
			A< [null,null,"phoenix","phx_reply",{"response":{},"status":"ok"}]
			A> [null,"1",7,"phx_join",{}]
			A< [null,"1",7,"phx_reply",{"response":{"reason":"unmatched topic"},"status":"error"}]
			A> [null,"2",null,"other",{}]
			A< [null,"2",null,"phx_reply",{"response":{"reason":"unmatched topic"},"status":"error"}]
			A> [null,"3","phoenix","heartbeat",{},"more",[1]]
			A< [null,"3","phoenix","phx_reply",{"response":{},"status":"ok"}]
			A> [4,5,"room:odd","phx_join",null]
			A< [4,5,"room:odd","phx_reply",{"response":{},"status":"ok"}]
			A> [4,6,"room:odd","ping",[1,"é",null]]
			A< [4,6,"room:odd","phx_reply",{"response":[1,"é",null],"status":"ok"}]
			A> ["4",7,"room:odd","ping",1]
			A> [4,8,"room:odd","push_me",{}]
			A< [4,null,"room:odd","pushed",{}]
			A> [4,null,"room:odd","ok",{}]
			A< [4,null,"room:odd","phx_reply",{"response":{},"status":"ok"}]`},
		{"join", target, `
			A> ["1","1","room:a","phx_join",{}]
			A< ["1","1","room:a","phx_reply",{"response":{},"status":"ok"}]
			A> ["2","2","lobby","phx_join",{}]
			A< ["2","2","lobby","phx_reply",{"response":{"exact":true},"status":"ok"}]
			A> ["3","3","room:echo","phx_join",{"a":[1]}]
			A< ["3","3","room:echo","phx_reply",{"response":{"a":[1]},"status":"ok"}]
			A> ["4","4","room:slow","phx_join",{"ms":1}]
			A< ["4","4","room:slow","phx_reply",{"response":{},"status":"ok"}]`},
		{"join without join_ref", target, `
			A> [null,"5","room:b","phx_join",{}]
			A< [null,"5","room:b","phx_reply",{"response":{},"status":"ok"}]
			A> [null,"6","room:b","ping",{"x":1}]
			A< ["5","6","room:b","phx_reply",{"response":{"x":1},"status":"ok"}]
			A> ["5","7","room:b","ping",{"x":2}]
			A> [null,"8","room:b","ok",{}]
			A< ["5","8","room:b","phx_reply",{"response":{},"status":"ok"}]`},
		{"join refused", target, `
			A> ["1","1","room:private","phx_join",{}]
			A< ["1","1","room:private","phx_reply",{"response":{"reason":"unauthorized"},"status":"error"}]
			A> ["1","2","room:private","ping",{}]
			A< [null,"2","room:private","phx_reply",{"response":{"reason":"unmatched topic"},"status":"error"}]`},
		{"join crashed", target, `
			A> ["1","1","room:raise","phx_join",{}]
			A< ["1","1","room:raise","phx_reply",{"response":{"reason":"join crashed"},"status":"error"}]
			A> ["2","2","room:slow","phx_join",{"ms":"long"}]
			A< ["2","2","room:slow","phx_reply",{"response":{"reason":"join crashed"},"status":"error"}]
			A> ["3","3","room:slow","phx_join",{}]
			A< ["3","3","room:slow","phx_reply",{"response":{"reason":"join crashed"},"status":"error"}]`},
		{"no route", target, `
			A> ["1","1","nowhere","phx_join",{}]
			A< [null,"1","nowhere","phx_reply",{"response":{"reason":"unmatched topic"},"status":"error"}]`},
		{"replies", target, `
			A joins room:c as 1
			A> ["1","2","room:c","ping","text"]
			A< ["1","2","room:c","phx_reply",{"response":"text","status":"ok"}]
			A> ["1","3","room:c","ok",{"x":1}]
			A< ["1","3","room:c","phx_reply",{"response":{},"status":"ok"}]
			A> ["1","4","room:c","fail",{"x":1}]
			A< ["1","4","room:c","phx_reply",{"response":{"x":1},"status":"error"}]
			A> ["1","5","room:c","fail_bare",{}]
			A< ["1","5","room:c","phx_reply",{"response":{},"status":"error"}]
			A> ["1","6","room:c","status",{"x":2}]
			A< ["1","6","room:c","phx_reply",{"response":{"x":2},"status":"maybe"}]
			A> ["1","7","room:c","noreply",{}]
			A> ["1","8","room:c","big",{"n":3}]
			A< ["1","8","room:c","phx_reply",{"response":{"data":"xxx"},"status":"ok"}]
			A> ["1","9","room:c","whoami",{}]
			A< ["1","9","room:c","phx_reply",{"response":{"topic":"room:c","user_id":"7","join_ref":"1"},"status":"ok"}]
			A> ["1","10","room:c","echo",{"body":"b"}]
			A< ["1","10","room:c","phx_reply",{"response":{"type":"echo","body":"b"},"status":"ok"}]`},
		{"slow does not block", target, `
			A joins room:d as 1
			A> ["1","2","room:d","slow",{"ms":300}]
			A> ["1","3","room:d","ok",{}]
			A< ["1","3","room:d","phx_reply",{"response":{},"status":"ok"}]
			A< ["1","2","room:d","phx_reply",{"response":{"ms":300},"status":"ok"}]`},
		{"slow join", target, `
			A> ["1","1","room:slow","phx_join",{"ms":300}]
			A> [null,"2","phoenix","heartbeat",{}]
			A> ["3","3","room:s","phx_join",{}]
			differs: slow join
			roost:   A< [null,"2","phoenix","phx_reply",{"response":{},"status":"ok"}]
			roost:   A< ["3","3","room:s","phx_reply",{"response":{},"status":"ok"}]
			A< ["1","1","room:slow","phx_reply",{"response":{},"status":"ok"}]
			phoenix: A< [null,"2","phoenix","phx_reply",{"response":{},"status":"ok"}]
			phoenix: A< ["3","3","room:s","phx_reply",{"response":{},"status":"ok"}]`},
		{"one hundred channels", target, joins(100) + `
			A> ["1","101","room:101","phx_join",{}]
			A< ["1","101","room:101","phx_reply",{"response":{"reason":"too many channels joined"},"status":"error"}]
			A> ["7","2","room:7","phx_leave",{}]
			A< ["7","2","room:7","phx_reply",{"response":{},"status":"ok"}]
			A< ["7","7","room:7","phx_close",{}]
			A joins room:101 as 101`},
		{"nobody", "/socket/websocket?vsn=2.0.0", `
			A joins room:e as 1
			A> ["1","2","room:e","whoami",{}]
			A< ["1","2","room:e","phx_reply",{"response":{"topic":"room:e","user_id":null,"join_ref":"1"},"status":"ok"}]`},
		{"binary in", target, `
			A joins room:g as 1
			A> "\x00\x01\x01\x06\x0713room:gbin_len\x01\xff"
			A< ["1","3","room:g","phx_reply",{"response":{"len":2},"status":"ok"}]
			A> "\x00\x01\x01\x08\x0424room:\xc3\xa9gping"
			A< [null,"4","room:ég","phx_reply",{"response":{"reason":"unmatched topic"},"status":"error"}]`},
		{"in order", target, "A joins room:h as 1\n" + pings("room:h", 50)},
	})
}

// joins are lines that join room:1 and so on.
func joins(n int) string {
	var lines strings.Builder
	for i := range n {
		fmt.Fprintf(&lines, "A joins room:%d as %d\n", i+1, i+1)
	}
	return lines.String()
}

// pings are lines of which those that are sent come before those that are received.
func pings(topic string, n int) string {
	var sent, received strings.Builder
	for i := range n {
		fmt.Fprintf(&sent, "A> [\"1\",\"%d\",%q,\"ping\",{\"n\":%d}]\n", i, topic, i)
		fmt.Fprintf(&received, "A< [\"1\",\"%d\",%q,\"phx_reply\",{\"response\":{\"n\":%d},\"status\":\"ok\"}]\n", i, topic, i)
	}
	return sent.String() + received.String()
}

func TestRoomBroadcasts(t *testing.T) {
	const target = "/socket/websocket?vsn=2.0.0"
	runScriptsOverBoth(t, []script{
		{"to all", target, `
			A joins room:a as 1
			B joins room:a as 2
			A> ["1","2","room:a","shout",{"k":1}]
			A< [null,null,"room:a","shout",{"k":1}]
			B< [null,null,"room:a","shout",{"k":1}]
			B> ["2","3","room:a","new_msg",{"k":2}]
			A< [null,null,"room:a","new_msg",{"k":2}]
			B< [null,null,"room:a","new_msg",{"k":2}]
			A> ["1","3","room:a","shout_reply",{"k":3}]
			A< [null,null,"room:a","shout",{"k":3}]
			A< ["1","3","room:a","phx_reply",{"response":{"k":3},"status":"ok"}]
			B< [null,null,"room:a","shout",{"k":3}]
			A> ["1","4","room:a","broadcast",{"body":4}]
			A< [null,null,"room:a","broadcast",{"type":"broadcast","body":4}]
			A< ["1","4","room:a","phx_reply",{"response":{"type":"broadcastResult","body":4},"status":"ok"}]
			B< [null,null,"room:a","broadcast",{"type":"broadcast","body":4}]`},
		{"to the others", target, `
			A joins room:b as 1
			B joins room:b as 2
			A> ["1","2","room:b","shout_from",{"k":1}]
			B< [null,null,"room:b","shout",{"k":1}]
			B> ["2","3","room:b","shout",{"k":2}]
			A< [null,null,"room:b","shout",{"k":2}]
			B< [null,null,"room:b","shout",{"k":2}]`},
		{"to another topic", target, `
			A joins room:c as 1
			B joins room:d as 2
			A> ["1","2","room:c","broadcast_to",{"topic":"room:d","event":"e","payload":{"k":1}}]
			A< ["1","2","room:c","phx_reply",{"response":{},"status":"ok"}]
			B< [null,null,"room:d","e",{"k":1}]`},
		{"pushes", target, `
			A joins room:e as 1
			B joins room:e as 2
			A> ["1","2","room:e","push_me",{"k":1}]
			A< ["1",null,"room:e","pushed",{"k":1}]
			A> ["1","3","room:e","burst",{"n":2}]
			A< ["1",null,"room:e","n",{"i":0}]
			A< ["1",null,"room:e","n",{"i":1}]
			A< ["1","3","room:e","phx_reply",{"response":{"n":2},"status":"ok"}]`},
		{"nothing is replayed", target, `
			A at /socket/websocket?vsn=2.0.0&user_id=gone
			A joins room:r as 1
			B joins room:r as 2
			B> ["2","3","room:r","disconnect",{"id":"users_socket:gone"}]
			B< ["2","3","room:r","phx_reply",{"response":{},"status":"ok"}]
			A closed 1001
			B> ["2","4","room:r","shout",{"k":1}]
			B< [null,null,"room:r","shout",{"k":1}]
			A joins room:r as 5`},
	})
}

// Binary messages to clients are for WebSockets only.
func TestRoomBinary(t *testing.T) {
	const target = "/socket/websocket?vsn=2.0.0"
	runScripts(t, []script{
		{"JSON and binary", target, `
			A joins room:f as 1
			B joins room:f as 2
			A> "\x00\x01\x01\x06\x0313room:fbin\x01\xff"
			A< "\x01\x01\x01\x06\x0213room:fok\x01\xff"
			A> "\x00\x01\x01\x06\x0814room:fbin_fail\x01\xff"
			A< "\x01\x01\x01\x06\x0514room:ferror\x01\xff"
			A> "\x00\x01\x01\x06\x0715room:fbin_len\x01\xff"
			A< ["1","5","room:f","phx_reply",{"response":{"len":2},"status":"ok"}]
			A> "\x00\x01\x01\x06\x0816room:fbin_push\x01\xff"
			A< "\x00\x01\x06\x0a1room:fbin_pushed\x01\xff"
			A> "\x00\x01\x01\x06\x0917room:fbin_shout\x01\xff"
			A< "\x02\x06\x09room:fbin_shout\x01\xff"
			B< "\x02\x06\x09room:fbin_shout\x01\xff"
			A> ["1","8","room:f","bin",{}]
			A< ["1","1","room:f","phx_error",{"reason":"channel_crash"}]`},
		{"versions", target, `
			A at /socket/websocket
			A> {"topic":"room:v","event":"phx_join","payload":{},"ref":"1"}
			A< {"event":"phx_reply","payload":{"response":{},"status":"ok"},"ref":"1","topic":"room:v"}
			B joins room:v as 2
			B> ["2","3","room:v","shout",{"k":1}]
			A< {"topic":"room:v","event":"shout","payload":{"k":1},"ref":null}
			B< [null,null,"room:v","shout",{"k":1}]
			B> "\x00\x01\x01\x06\x0924room:vbin_shout\x01\xff"
			differs: binary for a V1 client
			roost:   B< "\x02\x06\x09room:vbin_shout\x01\xff"
			phoenix: B< ["2","2","room:v","phx_error",{"reason":"channel_crash"}]`},
		{"letters of two bytes", target, `
			A joins room:é as 1
			A> "\x00\x01\x01\x07\x0813room:ébin_push\x01"
			A< "\x00\x01\x07\x0a1room:ébin_pushed\x01"
			A> "\x00\x01\x01\x07\x0314room:ébin\x01"
			A< "\x01\x01\x01\x07\x0214room:éok\x01"
			A> "\x00\x01\x01\x07\x0915room:ébin_shout\x01"
			A< "\x02\x07\x09room:ébin_shout\x01"`},
		{"join", target, `
			A> "\x00\x01\x01\x09\x0812room:echophx_join\x01\xff"
			A< "\x01\x01\x01\x09\x0212room:echook\x01\xff"
			A> "\x00\x00\x01\x07\x093phoenixheartbeat"
			A< [null,"3","phoenix","phx_reply",{"response":{},"status":"ok"}]`},
	})
}

func TestRoomEnds(t *testing.T) {
	const target = "/socket/websocket?vsn=2.0.0"
	runScriptsOverBoth(t, []script{
		{"leave", target, `
			A joins room:a as 1
			A> ["0","2","room:a","phx_leave",{}]
			A> ["1","3","room:a","ok",{}]
			A< ["1","3","room:a","phx_reply",{"response":{},"status":"ok"}]
			A> ["1","4","room:a","phx_leave",{}]
			A< ["1","4","room:a","phx_reply",{"response":{},"status":"ok"}]
			A< ["1","1","room:a","phx_close",{}]
			A> ["1","5","room:a","phx_leave",{}]
			A< ["1","5","room:a","phx_reply",{"response":{},"status":"ok"}]`},
		{"duplicate join", target, `
			A joins room:b as 1
			A joins room:b as 2
			A< ["1","1","room:b","phx_close",{}]
			A> ["1","3","room:b","ok",{}]
			A> ["2","4","room:b","ok",{}]
			A< ["2","4","room:b","phx_reply",{"response":{},"status":"ok"}]`},
		{"crash", target, `
			A joins room:c as 1
			A> ["1","2","room:c","crash",{}]
			A< ["1","1","room:c","phx_error",{"reason":"channel_crash"}]
			A> ["1","3","room:c","ok",{}]
			A< [null,"3","room:c","phx_reply",{"response":{"reason":"unmatched topic"},"status":"error"}]
			A joins room:c as 4
			A> ["4","5","room:c","nobody_knows",{}]
			A< ["4","4","room:c","phx_error",{"reason":"channel_crash"}]
			A joins room:c as 6
			A> ["6","7","room:c","shout","no map"]
			A< ["6","6","room:c","phx_error",{"reason":"channel_crash"}]`},
		{"stop", target, `
			A joins room:d as 1
			A> ["1","2","room:d","stop",{"bye":1}]
			A< ["1","2","room:d","phx_reply",{"response":{"bye":1},"status":"ok"}]
			A< ["1","1","room:d","phx_close",{}]
			A joins room:d as 3
			A> ["3","4","room:d","stop_noreply",{}]
			A< ["3","3","room:d","phx_close",{}]`},
		{"disconnect", target + "&user_id={}", `
			A> [null,"1","phoenix","heartbeat",{}]
			A< [null,"1","phoenix","phx_reply",{"response":{},"status":"ok"}]
			B joins room:e as 1
			B> ["1","2","room:e","disconnect",{"id":"users_socket:A"}]
			B< ["1","2","room:e","phx_reply",{"response":{},"status":"ok"}]
			A closed 1001`},
		{"V1", "/socket/websocket", `
			A> {"topic":"room:f","event":"phx_join","payload":{},"ref":"1"}
			A< {"event":"phx_reply","payload":{"response":{},"status":"ok"},"ref":"1","topic":"room:f"}
			A> {"topic":"room:f","event":"crash","payload":{},"ref":"3"}
			A< {"event":"phx_error","payload":{"reason":"channel_crash"},"ref":null,"topic":"room:f"}
			A> {"topic":"room:f","event":"phx_join","payload":{},"ref":"4"}
			A< {"event":"phx_reply","payload":{"response":{},"status":"ok"},"ref":"4","topic":"room:f"}
			A> {"topic":"room:f","event":"phx_leave","payload":{},"ref":"5"}
			A< {"event":"phx_reply","payload":{"response":{},"status":"ok"},"ref":"5","topic":"room:f"}
			A< {"event":"phx_close","payload":{},"ref":null,"topic":"room:f"}`},
		{"one of two", target, `
			A joins room:i as 1
			A joins room:j as 2
			A> ["1","3","room:i","crash",{}]
			A< ["1","1","room:i","phx_error",{"reason":"channel_crash"}]
			A> ["2","4","room:j","ok",{}]
			A< ["2","4","room:j","phx_reply",{"response":{},"status":"ok"}]`},
		{"all of one user", target + "&user_id=two", `
			A joins room:k as 1
			B joins room:k as 1
			C at /socket/websocket?vsn=2.0.0&user_id=three
			C joins room:k as 1
			C> ["1","2","room:k","disconnect",{"id":"users_socket:two"}]
			C< ["1","2","room:k","phx_reply",{"response":{},"status":"ok"}]
			A closed 1001
			B closed 1001`},
	})
}

// What cannot be understood ends the connection.
func TestMalformed(t *testing.T) {
	var scripts []script
	for _, text := range []string{
		`{"not":"an array"}`, `["1","2","room:a","ping"]`, `[`, `1`, `null`, `"\x00\x01"`, `"\x01\x00\x00\x00\x00"`, `"\x02\x00\x00\x00\x00"`,
	} {
		scripts = append(scripts, script{text, "/socket/websocket?vsn=2.0.0", "A> " + text + "\nA closed 1011"})
	}
	for _, text := range []string{`[null,"1","phoenix","heartbeat",{}]`, `{"topic":"phoenix","event":"heartbeat","ref":"1"}`, `{`} {
		scripts = append(scripts, script{"V1 " + text, "/socket/websocket", "A> " + text + "\nA closed 1011"})
	}
	runScripts(t, scripts)
}
