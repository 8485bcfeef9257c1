package main_test

import "testing"

// The messages of presence, and what of them belongs together (spec §7.2).
func TestPresence(t *testing.T) {
	const target = "/socket/websocket?vsn=2.0.0"
	runScripts(t, []script{
		{"come, change and go", target, `
			A> ["1","1","presence:a","phx_join",{"user":"ann"}]
			A< ["1","1","presence:a","phx_reply",{"response":{},"status":"ok"}]
			A<~ ["1",null,"presence:a","presence_state",{"ann":{"metas":[{"phx_ref":"$ann","st":"in"}]}}]
			A< [null,null,"presence:a","presence_diff",{"joins":{"ann":{"metas":[{"phx_ref":"$ann","st":"in"}]}},"leaves":{}}]
			B> ["2","3","presence:a","phx_join",{"user":"bob"}]
			B< ["2","3","presence:a","phx_reply",{"response":{},"status":"ok"}]
			B<~ ["2",null,"presence:a","presence_state",{"ann":{"metas":[{"phx_ref":"$ann","st":"in"}]},"bob":{"metas":[{"phx_ref":"$bob","st":"in"}]}}]
			B< [null,null,"presence:a","presence_diff",{"joins":{"bob":{"metas":[{"phx_ref":"$bob","st":"in"}]}},"leaves":{}}]
			A< [null,null,"presence:a","presence_diff",{"joins":{"bob":{"metas":[{"phx_ref":"$bob","st":"in"}]}},"leaves":{}}]
			B> ["2","4","presence:a","away",{"st":"away"}]
			B<~ ["2","4","presence:a","phx_reply",{"response":{},"status":"ok"}]
			B< [null,null,"presence:a","presence_diff",{"joins":{"bob":{"metas":[{"phx_ref":"$new","phx_ref_prev":"$bob","st":"away"}]}},"leaves":{"bob":{"metas":[{"phx_ref":"$bob","st":"in"}]}}}]
			A< [null,null,"presence:a","presence_diff",{"joins":{"bob":{"metas":[{"phx_ref":"$new","phx_ref_prev":"$bob","st":"away"}]}},"leaves":{"bob":{"metas":[{"phx_ref":"$bob","st":"in"}]}}}]
			A> ["1","5","presence:a","phx_leave",{}]
			A< ["1","5","presence:a","phx_reply",{"response":{},"status":"ok"}]
			A< ["1","1","presence:a","phx_close",{}]
			B< [null,null,"presence:a","presence_diff",{"joins":{},"leaves":{"ann":{"metas":[{"phx_ref":"$ann","st":"in"}]}}}]
			B> ["2","6","presence:a","list",{}]
			B< ["2","6","presence:a","phx_reply",{"response":{"bob":{"metas":[{"phx_ref":"$new","phx_ref_prev":"$bob","st":"away"}]}},"status":"ok"}]`},
		{"untrack", target, `
			A> ["1","1","presence:b","phx_join",{}]
			A< ["1","1","presence:b","phx_reply",{"response":{},"status":"ok"}]
			A<~ ["1",null,"presence:b","presence_state",{"anon":{"metas":[{"phx_ref":"$a","st":"in"}]}}]
			A< [null,null,"presence:b","presence_diff",{"joins":{"anon":{"metas":[{"phx_ref":"$a","st":"in"}]}},"leaves":{}}]
			A> ["1","2","presence:b","untrack",{}]
			A<~ ["1","2","presence:b","phx_reply",{"response":{},"status":"ok"}]
			A< [null,null,"presence:b","presence_diff",{"joins":{},"leaves":{"anon":{"metas":[{"phx_ref":"$a","st":"in"}]}}}]
			A> ["1","3","presence:b","untrack",{}]
			A< ["1","3","presence:b","phx_reply",{"response":{},"status":"ok"}]
			A> ["1","4","presence:b","away",{}]
			A< ["1","4","presence:b","phx_reply",{"response":{"reason":"nopresence"},"status":"error"}]
			A> ["1","5","presence:b","list",{}]
			A< ["1","5","presence:b","phx_reply",{"response":{},"status":"ok"}]`},
		{"crash", target, `
			A> ["1","1","presence:c","phx_join",{"user":"ann"}]
			A< ["1","1","presence:c","phx_reply",{"response":{},"status":"ok"}]
			A<~ ["1",null,"presence:c","presence_state",{"ann":{"metas":[{"phx_ref":"$ann","st":"in"}]}}]
			A< [null,null,"presence:c","presence_diff",{"joins":{"ann":{"metas":[{"phx_ref":"$ann","st":"in"}]}},"leaves":{}}]
			B> ["2","3","presence:c","phx_join",{"user":"bob"}]
			B< ["2","3","presence:c","phx_reply",{"response":{},"status":"ok"}]
			B<~ ["2",null,"presence:c","presence_state",{"ann":{"metas":[{"phx_ref":"$ann","st":"in"}]},"bob":{"metas":[{"phx_ref":"$bob","st":"in"}]}}]
			B< [null,null,"presence:c","presence_diff",{"joins":{"bob":{"metas":[{"phx_ref":"$bob","st":"in"}]}},"leaves":{}}]
			A< [null,null,"presence:c","presence_diff",{"joins":{"bob":{"metas":[{"phx_ref":"$bob","st":"in"}]}},"leaves":{}}]
			B> ["2","4","presence:c","crash",{}]
			B< ["2","2","presence:c","phx_error",{"reason":"channel_crash"}]
			A< [null,null,"presence:c","presence_diff",{"joins":{},"leaves":{"bob":{"metas":[{"phx_ref":"$bob","st":"in"}]}}}]`},
	})
}
