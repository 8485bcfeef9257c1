package main_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/gobwas/ws"
)

func TestIntegrationRooms(t *testing.T) {
	const idle = `
		differs: idle close code
		roost:   A closed 1002
		phoenix: A closed 1000`
	runScripts(t, []script{
		{"WebSocket room", "/ws/websocket?vsn=2.0.0", `
			A> ["1","1","room:a","phx_join",{"user":"ann"}]
			A< ["1","1","room:a","phx_reply",{"response":{},"status":"ok"}]
			A< [null,null,"room:a","user_entered",{"user":"ann"}]
			A< ["1",null,"room:a","joined",{"status":"connected","user_id":null}]
			A> ["1","2","room:a","new_msg",{"body":"hi"}]
			A< ["1","2","room:a","phx_reply",{"response":{},"status":"ok"}]
			A< ["1",null,"room:a","new_msg",{"body":"hi","transport":":websocket"}]
			A> "\x00\x01\x01\x06\x0c13room:abinary_event\x01\x02"
			A< "\x00\x01\x06\x0c1room:abinary_event\x00\x01"
			A< "\x01\x01\x01\x06\x0213room:aok\x01\x02\x03\x04"
			A> ["1","4","room:a","phx_leave",{}]
			A< ["1","4","room:a","phx_reply",{"response":{},"status":"ok"}]
			A< ["1","1","room:a","phx_close",{}]
			A< ["1",null,"room:a","you_left",{"message":"bye!"}]`},
		{"duplicate join without a bye", "/ws/admin/websocket?vsn=2.0.0&user_id=5", `
			A joins room:b as 1
			A< [null,null,"room:b","user_entered",{"user":null}]
			A< ["1",null,"room:b","joined",{"status":"connected","user_id":"5"}]
			A joins room:b as 2
			A< ["1","1","room:b","phx_close",{}]
			A< [null,null,"room:b","user_entered",{"user":null}]
			differs: twice after a duplicate join
			phoenix: A<? [null,null,"room:b","user_entered",{"user":null}]
			A< ["2",null,"room:b","joined",{"status":"connected","user_id":"5"}]
			A> ["2","3","room:b","boom",{}]
			differs: terminate before its end
			phoenix: A< ["2",null,"room:b","you_left",{"message":"bye!"}]
			A< ["2","2","room:b","phx_error",{"reason":"channel_crash"}]`},
		{"one channel", "/ws/limited/websocket?vsn=2.0.0", `
			A joins room:c as 1
			A< [null,null,"room:c","user_entered",{"user":null}]
			A< ["1",null,"room:c","joined",{"status":"connected","user_id":null}]
			A> ["2","2","room:d","phx_join",{}]
			A< ["2","2","room:d","phx_reply",{"response":{"reason":"too many channels joined"},"status":"error"}]`},
		{"three channels", "/limited/websocket?vsn=2.0.0", `
			A joins room:1 as 1
			A joins room:2 as 2
			A joins room:3 as 3
			A> ["4","4","room:4","phx_join",{}]
			A< ["4","4","room:4","phx_reply",{"response":{"reason":"too many channels joined"},"status":"error"}]
			A> ["5","5","lobby","phx_join",{}]
			A< [null,"5","lobby","phx_reply",{"response":{"reason":"unmatched topic"},"status":"error"}]`},
		{"long-poll room", "/lp/websocket?vsn=2.0.0", `
			A joins room:e as 1
			A< [null,null,"room:e","user_entered",{"user":null}]
			A< ["1",null,"room:e","joined",{"status":"connected","user_id":null}]
			A> ["1","2","room:e","new_msg",{"body":"hi"}]
			A< ["1",null,"room:e","new_msg",{"body":"hi","transport":":websocket"}]
			A> "\x00\x01\x01\x06\x0313room:ebin\x01"
			A< ["1",null,"room:e","bin_ack",{"transport":":websocket"}]
			A> ["1","4","room:e","phx_leave",{}]
			A< ["1","4","room:e","phx_reply",{"response":{},"status":"ok"}]
			A< ["1","1","room:e","phx_close",{}]`},
		{"custom", "/ws/websocket?vsn=2.0.0", `
			A> ["1","1","custom:a","phx_join",{"action":"ignore"}]
			A< ["1","1","custom:a","phx_reply",{"response":{"action":"ignore"},"status":"error"}]
			A> ["2","2","custom:a","phx_join",{"action":"error"}]
			A< ["2","2","custom:a","phx_reply",{"response":{"reason":"join crashed"},"status":"error"}]
			A> ["3","3","custom:a","phx_join",{"action":"ok"}]
			A< ["3","3","custom:a","phx_reply",{"response":{"action":"ok"},"status":"ok"}]
			A> ["3","4","custom:a","close",{}]
			A< ["3","3","custom:a","phx_close",{}]`},
		{"phxtest", "/socket/websocket?vsn=2.0.0&user_id=6", `
			A> ["1","1","phxtest:a","phx_join",{"user":"ann"}]
			A< ["1","1","phxtest:a","phx_reply",{"response":{},"status":"ok"}]
			A< [null,null,"phxtest:a","user_entered",{"user":"ann"}]
			A< ["1",null,"phxtest:a","joined",{"status":"connected","user_id":"6"}]
			A> "\x00\x01\x01\x09\x0312phxtest:abin\x01"
			A< [null,null,"phxtest:a","bin_ack",{}]
			A> ["1","3","phxtest:a","phx_leave",{}]
			A< ["1","3","phxtest:a","phx_reply",{"response":{},"status":"ok"}]
			A< ["1","1","phxtest:a","phx_close",{}]
			A< ["1",null,"phxtest:a","you_left",{"message":"bye!"}]`},
		{"idle", "/ws/websocket?vsn=2.0.0", idle},
		{"idle and fast", "/fast/websocket?vsn=2.0.0", idle},
	})
}

func TestIntegrationPolls(t *testing.T) {
	runOver(t, start(t), overLongPoll, []script{
		{"room", "/lp/longpoll?vsn=2.0.0&user_id=8", `
			A> ["1","1","room:p","phx_join",{"user":"ann"}]
			A< ["1","1","room:p","phx_reply",{"response":{},"status":"ok"}]
			A< [null,null,"room:p","user_entered",{"user":"ann"}]
			A< ["1",null,"room:p","joined",{"status":"connected","user_id":"8"}]
			A> ["1","2","room:p","new_msg",{"body":"hi"}]
			A< ["1",null,"room:p","new_msg",{"body":"hi","transport":":longpoll"}]
			A> "\x00\x01\x01\x06\x0313room:pbin\x01"
			A< ["1",null,"room:p","bin_ack",{"transport":":longpoll"}]
			A> ["1","4","room:p","boom",{}]
			A< ["1","1","room:p","phx_error",{"reason":"channel_crash"}]
			A> ["5","5","room:p","phx_join",{}]
			A< ["5","5","room:p","phx_reply",{"response":{},"status":"ok"}]
			A< [null,null,"room:p","user_entered",{"user":null}]
			A< ["5",null,"room:p","joined",{"status":"connected","user_id":"8"}]
			A> ["5","6","room:p","phx_leave",{}]
			A< ["5","6","room:p","phx_reply",{"response":{},"status":"ok"}]
			A< ["5","5","room:p","phx_close",{}]`},
		{"no more than three", "/limited/longpoll?vsn=2.0.0", `
			A joins room:5 as 1
			A joins room:6 as 2
			A joins room:7 as 3
			A> ["4","4","room:8","phx_join",{}]
			A< ["4","4","room:8","phx_reply",{"response":{"reason":"too many channels joined"},"status":"error"}]`},
	})
}

func TestConnectInfo(t *testing.T) {
	addr := start(t)
	c := dial(t, addr, "/ws/connect_info/websocket?vsn=2.0.0&k=v",
		"X-Forwarded-For: 1.2.3.4", "x-one: 1", "traceparent: 00-ab", "User-Agent: tester", "Cookie: secret=1")
	c.send(t, ws.OpText, []byte(`["1","1","room:a","phx_join",{}]`))
	c.receive(t)
	c.receive(t)
	got := c.receive(t)

	host, port, _ := strings.Cut(addr, ":")
	_, peer, _ := strings.Cut(c.conn.LocalAddr().String(), ":")
	want := `["1",null,"room:a","joined",{"status":"connected","user_id":null,"connect_info":{
		"x_headers":{"x-forwarded-for":"1.2.3.4","x-one":"1"},
		"trace_context_headers":{"traceparent":"00-ab"},
		"sec_websocket_headers":{"sec-websocket-version":"13","sec-websocket-key":"dGhlIHNhbXBsZSBub25jZQ=="},
		"peer_data":{"address":"127.0.0.1","port":` + peer + `,"ssl_cert":null},
		"uri":{"scheme":"http","host":"` + host + `","port":` + port + `,"path":"/ws/connect_info/websocket","query":"vsn=2.0.0&k=v"},
		"user_agent":"tester","signing_salt":"salt"}}]`
	if !json.Valid([]byte(want)) {
		t.Fatalf("the test is wrong: %s", want)
	}
	if !same(got.Op, got.Payload, []byte(want)) {
		t.Errorf("got %s, want %s", show(got), want)
	}
}
