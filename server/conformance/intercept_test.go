package main_test

import "testing"

func TestIntercept(t *testing.T) {
	runScriptsOverBoth(t, []script{
		{"made out to each", "/socket/websocket?vsn=2.0.0", `
			A> ["1","1","intercept:a","phx_join",{"me":"ann"}]
			A< ["1","1","intercept:a","phx_reply",{"response":{},"status":"ok"}]
			B> ["2","2","intercept:a","phx_join",{"me":"bob"}]
			B< ["2","2","intercept:a","phx_reply",{"response":{},"status":"ok"}]
			A> ["1","3","intercept:a","shout",{"k":1}]
			A< ["1",null,"intercept:a","shout",{"k":1,"for":"ann"}]
			B< ["2",null,"intercept:a","shout",{"k":1,"for":"bob"}]
			A> ["1","4","intercept:a","shout",{"skip":"bob"}]
			A< ["1",null,"intercept:a","shout",{"skip":"bob","for":"ann"}]
			A> ["1","5","intercept:a","plain",{"k":2}]
			A< [null,null,"intercept:a","plain",{"k":2}]
			B< [null,null,"intercept:a","plain",{"k":2}]`},
		{"nobody skips nobody", "/socket/websocket?vsn=2.0.0", `
			A joins intercept:b as 1
			A> ["1","2","intercept:b","shout",{"k":1}]
			A> ["1","3","intercept:b","shout",{"skip":"bob"}]
			A< ["1",null,"intercept:b","shout",{"skip":"bob","for":null}]`},
	})
}
