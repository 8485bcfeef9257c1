package chat_test

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/roost-rt/roost/server/chat"
)

func TestScoresArePushed(t *testing.T) {
	scores := chat.NewScores()
	ep := start(t, socket("scores:*", scores.Type()))
	scores.PlayMinute(ep)
	c := dial(t, ep, path)
	c.say(`["1","2","scores:1","phx_join",{}]`)
	c.want(`["1","2","scores:1","phx_reply",{"status":"ok","response":{"home":"Robins","away":"Owls","score":[0,0],"minute":1,"goals":[]}}]`)
	scores.PlayMinute(ep)
	c.want(`[null,null,"scores:1","update",{"home":"Robins","away":"Owls","score":[0,0],"minute":2,"goals":[]}]`)
}

func TestScoresOfNoMatch(t *testing.T) {
	ep := start(t, socket("scores:*", chat.NewScores().Type()))
	c := dial(t, ep, path)
	c.say(`["1","2","scores:4","phx_join",{}]`)
	c.want(`["1","2","scores:4","phx_reply",{"status":"error","response":{"reason":"no such match"}}]`)
}

// A match lasts 90 minutes, its goals add up to its score, and after a pause
// there is another one.
func TestScoresPlayMatchAfterMatch(t *testing.T) {
	scores := chat.NewScores()
	ep := start(t, socket("scores:*", scores.Type()))
	c := dial(t, ep, path)
	c.say(`["1","2","scores:2","phx_join",{}]`)
	c.read()
	goals, kickOffs := 0, 0
	for i := range 205 { // two matches, two pauses and the minutes of kick-off
		scores.PlayMinute(ep)
		message, _ := c.read()
		var match struct {
			Score  [2]int
			Minute int
			Goals  []struct{ Minute, Side int }
		}
		if err := json.Unmarshal(message, &[]any{nil, nil, nil, nil, &match}); err != nil {
			t.Fatal(err)
		}
		var sum [2]int
		for _, g := range match.Goals {
			sum[g.Side]++
		}
		if sum != match.Score || match.Minute > 90 {
			t.Fatalf("minute %d of the test: %+v, want a score that is the sum of the goals, and at most 90 minutes", i, match)
		}
		if match.Minute == 0 {
			kickOffs++
		}
		goals = max(goals, len(match.Goals))
	}
	if kickOffs != 2 || goals == 0 {
		t.Errorf("in 205 minutes: %d new matches and at most %d goals in one, want 2 and some", kickOffs, goals)
	}
}

func TestScoresRunUntilDone(t *testing.T) {
	scores := chat.NewScores()
	ep := start(t, socket("scores:*", scores.Type()))
	c := dial(t, ep, path)
	c.say(`["1","2","scores:1","phx_join",{}]`)
	c.read()

	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { // the test waits for it
		defer close(ended)
		scores.Run(ctx, ep)
	}()
	c.want(`[null,null,"scores:1","update",{"home":"Robins","away":"Owls","score":[0,0],"minute":1,"goals":[]}]`)
	cancel()
	<-ended
}

// Nobody plays for an empty stadium: without watchers nothing ticks. Whoever comes
// then sees the match go on.
func TestScoresRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		scores := chat.NewScores()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go scores.Run(ctx, nil) // no endpoint: to broadcast would panic
		time.Sleep(time.Hour)
	})
	scores := chat.NewScores()
	ep := start(t, socket("scores:*", scores.Type()))
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { scores.Run(ctx, ep) })
	for minute := range 2 {
		c := dial(t, ep, path)
		c.say(`["1","2","scores:1","phx_join",{}]`)
		c.read()
		c.want(fmt.Sprintf(`[null,null,"scores:1","update",{"home":"Robins","away":"Owls","score":[0,0],"minute":%d,"goals":[]}]`, minute+1))
		c.conn.Close()
	}
	cancel()
	running.Wait()
}
