package user

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/roost-rt/roost/loadtest/channels"
	"github.com/roost-rt/roost/loadtest/order"
	"github.com/roost-rt/roost/loadtest/script"
)

// Try has the first user of a script connect, join and make one round, without
// thinking, all choices of it and each repetition once. The error says in sentences
// what does not fit and where to look. url is the URL of the target if it is not the
// script's, and users connect from the addresses of from. without has a sentence about
// each address that is left out.
func Try(ctx context.Context, src script.Source, url string, from order.Sources) (without []string, err error) {
	src = src.Part(0, 1)
	c, err := newCrew(order.Orders{Script: &src, Users: 1, ScriptURL: url, From: from, Window: 1, Writer: uint32(time.Now().UnixNano()), Late: time.Minute, Shares: []order.Share{{Count: 1}}})
	if err != nil {
		return nil, err
	}
	defer c.close()
	defer context.AfterFunc(ctx, c.end)()
	c.trial = true
	u := c.users[0]
	c.slots <- struct{}{}
	l := &life{user: u, rounds: c.ctx, leaves: make(chan struct{}), idled: make(chan struct{}), intended: c.now(), slot: true}
	s, err := l.arrive()
	if err != nil {
		return nil, &ailment{whatAiled(err, c.targets.of(1)), err}
	}
	if c.script.Paced() {
		l.due = c.now()
	}
	l.scope.Round++
	err = l.goThrough(s, once(c.script.Steps))
	l.depart(s, nil)
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if errors.Is(err, errCrashed) {
		err = fmt.Errorf("%w: does it handle this event, with this payload? Its log may tell", err)
	}
	return c.targets.without, errors.Join(c.ailments(), err)
}

// An ailment is why the first user did not get in.
type ailment struct {
	text  string
	cause error
}

func (a *ailment) Error() string { return a.text }
func (a *ailment) Unwrap() error { return a.cause }

// Unreachable reports whether an error of Try is that there is no way to the
// application from this host. There may be one from another.
func Unreachable(err error) bool {
	var op *net.OpError
	var dns *net.DNSError
	return errors.As(err, &dns) || errors.As(err, &op) && op.Op == "dial"
}

// once are the steps of one round that leaves nothing out and waits for nothing.
func once(steps []*script.Step) (all []*script.Step) {
	for _, step := range steps {
		switch {
		case step.Wait.Most > 0:
		case step.Repeat != nil:
			all = append(all, once(step.Repeat.Steps)...)
		case step.Choose != nil:
			for _, c := range step.Choose {
				if *c.Weight > 0 {
					all = append(all, once(c.Steps)...)
				}
			}
		default:
			all = append(all, step)
		}
	}
	return all
}

// ailments returns the faults in the steps.
func (c *crew) ailments() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	var errs []error
	for i, m := range c.meters {
		for outcome := range m.failed {
			what := c.script.Meters[i]
			errs = append(errs, fmt.Errorf("%s: %s %s%s", what.Name, what.What, outcome, c.hintLocked(what.What, outcome)))
		}
	}
	for fault := range c.counts.Errors {
		errs = append(errs, errors.New(fault))
	}
	return errors.Join(errs...)
}

// maxStrays is how many messages that no step expects are told of.
const maxStrays = 3

// stray notes a message that no step expects: it may be the one that a step should.
func (c *crew) stray(m channels.Message) {
	text := fmt.Sprintf("%s on %s", m.Event, m.Topic)
	if _, ok := channels.FindStamp(append(slices.Clone(m.Payload), m.Binary...)); ok {
		text += " with the stamp"
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.strays) < maxStrays && !slices.Contains(c.strays, text) {
		c.strays = append(c.strays, text)
	}
}

// hintLocked is where to look.
func (c *crew) hintLocked(what, outcome string) string {
	switch {
	case what == "broadcast" && strings.HasPrefix(outcome, "did not come") && c.counts.Odd != "":
		return "; what came has no stamp in it, so the application may drop the field that {{stamp}} is in: " + c.counts.Odd
	case what == "broadcast" && strings.HasPrefix(outcome, "did not come") && len(c.strays) > 0:
		return "; what came is " + strings.Join(c.strays, ", ") + ": if it is that, say so as broadcast: {event: …, topic: …}, and put {{stamp}} into a field that the application passes on"
	case what == "broadcast" && strings.HasPrefix(outcome, "did not come"):
		return "; does the application broadcast this event on this topic, and to the sender too (else say to: others)?"
	case what == "reply" && strings.HasPrefix(outcome, "no reply"):
		return "; does the application reply to this event (else leave reply out)?"
	case what == "reply" && strings.HasPrefix(outcome, "error"):
		return "; is the payload what the application expects?"
	}
	return ""
}

// whatAiled says why the first user did not get in, and where to look.
func whatAiled(err error, to target) string {
	text := kind(err)
	var r *refusal
	switch {
	case errors.As(err, &r) && r.status == 403:
		return fmt.Sprintf("%s: %s: check the token (target.params, target.authToken, target.headers or target.cookies) and the origins that the application lets in (target.headers.Origin)", to.host(), text)
	case errors.As(err, &r) && r.status == 404:
		return fmt.Sprintf("%s: %s: is that the path of the socket, and is this transport switched on there?", to.host(), text)
	case errors.As(err, &r):
		return fmt.Sprintf("%s: %s", to.host(), text)
	case strings.HasPrefix(text, "join refused"):
		return text + ": check the topic and the payload of the join"
	case strings.HasPrefix(text, "tls: failed to verify"):
		return fmt.Sprintf("%s: %s: say who signed it with target.tls.ca, or take any with target.tls.insecure: true", to.host(), text)
	case strings.Contains(text, "tls: certificate required"), strings.Contains(text, "tls: bad certificate"):
		return fmt.Sprintf("%s: %s: the application asks for a certificate of its users: say one that it takes with target.tls.cert and key", to.host(), text)
	case errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Sprintf("%s: %s: is the server running, and is that its port?", to.host(), text)
	}
	return fmt.Sprintf("%s: %s", to.host(), text)
}
