package main_test

import "testing"

func TestField(t *testing.T) {
	const target = "/socket/websocket?vsn=2.0.0"
	runScriptsOverBoth(t, []script{
		{"Supabase", target, `
			A> ["1","1","realtime:a","phx_join",{"config":{"broadcast":{"self":true,"ack":true}}}]
			A< ["1","1","realtime:a","phx_reply",{"response":{"postgres_changes":[]},"status":"ok"}]
			A< ["1",null,"realtime:a","presence_state",{}]
			B> ["2","2","realtime:a","phx_join",{}]
			B< ["2","2","realtime:a","phx_reply",{"response":{"postgres_changes":[]},"status":"ok"}]
			B< ["2",null,"realtime:a","presence_state",{}]
			A> ["1","3","realtime:a","access_token",{"access_token":"t"}]
			A> ["1","4","realtime:a","broadcast",{"k":1}]
			A< [null,null,"realtime:a","broadcast",{"k":1}]
			A< ["1","4","realtime:a","phx_reply",{"response":{},"status":"ok"}]
			B< [null,null,"realtime:a","broadcast",{"k":1}]
			B> ["2","5","realtime:a","broadcast",{"k":2}]
			A< [null,null,"realtime:a","broadcast",{"k":2}]`},
		{"Absinthe", target, `
			A joins __absinthe__:control as 1
			A> ["1","2","__absinthe__:control","doc",{"query":"{ping}"}]
			A< ["1","2","__absinthe__:control","phx_reply",{"response":{"data":{"ping":"pong"}},"status":"ok"}]
			A> ["1","3","__absinthe__:control","doc",{"query":"subscription {tick}"}]
			A< ["1","3","__absinthe__:control","phx_reply",{"response":{"subscriptionId":"__absinthe__:doc:1"},"status":"ok"}]
			A< [null,null,"__absinthe__:doc:1","subscription:data",{"result":{"data":{"tick":1}},"subscriptionId":"__absinthe__:doc:1"}]
			A> ["1","4","__absinthe__:control","unsubscribe",{"subscriptionId":"__absinthe__:doc:1"}]
			A< ["1","4","__absinthe__:control","phx_reply",{"response":{"subscriptionId":"__absinthe__:doc:1"},"status":"ok"}]`},
		{"LiveState", target, `
			A joins live:a as 1
			A< ["1",null,"live:a","state:change",{"state":{"n":0},"version":0}]
			A> ["1","2","live:a","lvs_evt:inc",{}]
			A< ["1",null,"live:a","state:patch",{"patch":[{"op":"replace","path":"/n","value":1}],"version":1}]
			A> ["1","3","live:a","lvs_evt:inc",{}]
			A< ["1",null,"live:a","state:patch",{"patch":[{"op":"replace","path":"/n","value":2}],"version":2}]`},
	})
}
