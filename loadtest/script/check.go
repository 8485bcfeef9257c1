package script

import (
	"errors"
	"fmt"
	"math"
	"net/url"
	"slices"
	"strings"

	"github.com/roost-rt/roost/loadtest/channels"
)

// check finds what cannot be meant, fills in defaults and resolves names.
func (s *Script) check() error {
	if err := errors.Join(s.Target.check(), s.checkTopics()); err != nil {
		return err
	}
	s.Marked, s.Awaited = make(map[string]bool), make(map[string]bool)
	if err := errors.Join(s.checkUsers(), s.checkStages(), s.checkSteps(s.Steps), s.checkExpressions()); err != nil {
		return err
	}
	switch {
	case len(s.Steps) == 0 && s.Rounds > 0:
		return errors.New("rounds: there are no steps to go through")
	case !isAmount(s.Rate):
		return errors.New("rate: want a number of rounds a second")
	case len(s.Steps) == 0 && s.Rate > 0:
		return errors.New("rate: there are no steps to go through")
	case s.Rate > 0 && len(s.Stages) > 0:
		return errors.New("rate: there are stages: say it in each of them")
	case s.Rate > 0 && s.Rounds > 0:
		return errors.New("rounds: with a rate, who is free makes the round that is due: say with for how long it goes on")
	case len(s.Steps) > 0 && s.Rounds == 0 && !s.Paced() && !waits(s.Steps):
		return errors.New("steps: nothing in them takes time, so users would push as fast as they can: add a wait, a reply or a broadcast, or say rounds, or a rate")
	}
	return nil
}

// isAmount reports whether a number can be an amount.
func isAmount(n float64) bool { return n >= 0 && !math.IsInf(n, 0) }

// waits reports whether each round of the steps takes some time.
func waits(steps []*Step) bool {
	return slices.ContainsFunc(steps, func(s *Step) bool {
		switch {
		case s.Repeat != nil:
			return waits(s.Repeat.Steps)
		case s.Choose != nil:
			return !slices.ContainsFunc(s.Choose, func(c Choice) bool { return *c.Weight > 0 && !waits(c.Steps) })
		}
		return s.Push == "" || s.Reply != nil || s.Broadcast != nil && s.Broadcast.To != Others
	})
}

func (t *Target) check() error {
	if t.URL != "" {
		t.URLs = append([]string{t.URL}, t.URLs...)
	}
	if t.Transport == "" {
		t.Transport = WebSocket
	}
	if t.Vsn == "" {
		t.Vsn = channels.V2
	}
	switch {
	case t.Transport != WebSocket && t.Transport != LongPoll:
		return fmt.Errorf("target.transport: %q: want %s or %s", t.Transport, WebSocket, LongPoll)
	case t.Vsn != channels.V1 && t.Vsn != channels.V2:
		return fmt.Errorf("target.vsn: %q: want %s or %s", t.Vsn, channels.V2, channels.V1)
	case (t.TLS.Cert == "") != (t.TLS.Key == ""):
		return errors.New("target.tls: cert and key: a certificate needs its private key, and the key its certificate")
	case t.TLS.Insecure && t.TLS.CA != "":
		return errors.New("target.tls: insecure and ca: the one takes any certificate, the other one does not")
	}
	for _, raw := range t.URLs {
		if err := checkURL(raw); err != nil {
			return err
		}
	}
	return nil
}

// checkURL wants a WebSocket's.
func checkURL(raw string) error {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" || !slices.Contains([]string{"ws", "wss", "http", "https"}, u.Scheme) {
		return errors.New("target.url: want ws://host:port/socket or wss://host/socket") // without the URL: a token may be in it
	}
	return nil
}

// Retarget has users connect to another URL.
func (s *Script) Retarget(raw string) error {
	s.Target.URLs = []string{raw}
	return checkURL(raw)
}

func (s *Script) checkTopics() error {
	for i := range s.Topics {
		t := &s.Topics[i]
		if t.Topic.Empty() {
			return fmt.Errorf("topics[%d]: no topic", i)
		}
		if t.As == "" {
			t.As = t.Topic.String()
		}
		if s.topicNamed(t.As) != i {
			return fmt.Errorf("topics[%d]: %q is there twice: give one of them another name with as", i, t.As)
		}
		if t.Reply == nil {
			t.Reply = new(Reply)
		}
		if err := t.Reply.check(); err != nil {
			return fmt.Errorf("topics[%d]: %w", i, err)
		}
		t.Meter = s.meter("join "+t.As, "join")
	}
	return nil
}

func (r *Reply) check() error {
	switch r.Status {
	case "":
		r.Status = "ok"
	case "ok", "error":
	default:
		return fmt.Errorf("reply.status: %q: want ok or error", r.Status)
	}
	return nil
}

// topicNamed returns the place of the topic that steps call so, -1 if there is none.
func (s *Script) topicNamed(name string) int {
	return slices.IndexFunc(s.Topics, func(t Topic) bool { return t.As == name })
}

// meter adds one, and returns its place.
func (s *Script) meter(name, what string) int {
	free := name
	for n := 2; slices.ContainsFunc(s.Meters, func(m Meter) bool { return m.Name == free && m.What == what }); n++ {
		free = fmt.Sprintf("%s (%d)", name, n)
	}
	s.Meters = append(s.Meters, Meter{free, what})
	return len(s.Meters) - 1
}

func (s *Script) checkUsers() error {
	if s.Users.Count < 0 || !isAmount(s.Users.Connect) || s.Rounds < 0 {
		return errors.New("users.count, users.connect, rounds: want a number, not below 0")
	}
	return nil
}

// Count is how many users there are at most.
func (s *Script) Count() int {
	if s.Users.Count > 0 {
		return s.Users.Count
	}
	if len(s.Stages) > 0 {
		return slices.MaxFunc(s.Stages, func(a, b Stage) int { return a.Users - b.Users }).Users
	}
	if len(s.rows) > 0 {
		return len(s.rows)
	}
	return 10
}

func (s *Script) checkStages() error {
	for i, stage := range s.Stages {
		switch {
		case stage.Users < 0 || stage.Rate != nil && !isAmount(*stage.Rate):
			return fmt.Errorf("stages[%d]: users and rate: want a number, not below 0", i)
		case stage.Users > s.Count():
			return fmt.Errorf("stages[%d]: %d users, and users.count is %d", i, stage.Users, s.Count())
		case (stage.Rate == nil) != (s.Stages[0].Rate == nil):
			return fmt.Errorf("stages[%d]: either all stages have a rate or none", i)
		}
	}
	switch {
	case len(s.Stages) > 0 && s.For > 0:
		return errors.New("for: the stages say how long: leave it out")
	case len(s.Stages) > 0 && s.Length() == 0:
		return errors.New("stages: none of them takes any time: say for in one")
	case len(s.Stages) > 0 && s.Users.Connect > 0:
		return errors.New("users.connect: the stages say when users connect: leave it out")
	}
	return nil
}

func (s *Script) checkSteps(steps []*Step) error {
	for _, step := range steps {
		var within *stepError
		if err := s.checkStep(step); errors.As(err, &within) {
			return err
		} else if err != nil {
			return &stepError{step.line, err}
		}
	}
	return nil
}

// A stepError is a fault of the step at a line.
type stepError struct {
	line int
	err  error
}

func (e *stepError) Error() string { return fmt.Sprintf("line %d: %v", e.line, e.err) }

// verbs are the steps that it is: it must be one.
func (step *Step) verbs() (verbs []string) {
	for _, v := range []struct {
		name string
		is   bool
	}{
		{"push", step.Push != ""}, {"join", step.Join != ""}, {"leave", step.Leave != ""}, {"expect", step.Expect != ""},
		{"wait", step.Wait.Most > 0}, {"repeat", step.Repeat != nil}, {"choose", step.Choose != nil},
	} {
		if v.is {
			verbs = append(verbs, v.name)
		}
	}
	return verbs
}

func (s *Script) checkStep(step *Step) error {
	verbs := step.verbs()
	if len(verbs) != 1 {
		return fmt.Errorf("a step is one of push, join, leave, expect, wait, repeat and choose; this is %s", strings.Join(append(verbs, "")[:max(1, len(verbs))], " and "))
	}
	step.Meter, step.Heard = -1, -1
	if extra := step.extra(verbs[0]); extra != "" {
		return fmt.Errorf("%s does not belong to %s", extra, verbs[0])
	}
	switch verbs[0] {
	case "push":
		return s.checkPush(step)
	case "join":
		return s.named(step, step.Join, "join")
	case "leave":
		return s.named(step, step.Leave, "leave")
	case "expect":
		s.Awaited[step.Expect] = true
		err := s.at(&step.At, step.Topic)
		step.Meter = s.meter(title(step, "expect "+step.Expect), "event")
		return err
	case "repeat":
		if step.Repeat.Times < 1 {
			return errors.New("repeat.times: want a number above 0")
		}
		return s.checkSteps(step.Repeat.Steps)
	case "choose":
		return s.checkChoices(step.Choose)
	}
	return nil
}

// extra returns a key that has nothing to do with the verb, "" if there is none.
func (step *Step) extra(verb string) string {
	for _, key := range []struct {
		name string
		has  bool
		of   string
	}{
		{"topic", step.Topic != "", "push expect"}, {"payload", !step.Payload.Empty(), "push"}, {"binary", !step.Binary.Empty(), "push"},
		{"reply", step.Reply != nil, "push"}, {"broadcast", step.Broadcast != nil, "push"}, {"match", !step.Match.Empty(), "expect"}, {"within", step.Within > 0, "expect"},
	} {
		if key.has && !slices.Contains(strings.Fields(key.of), verb) {
			return key.name
		}
	}
	return ""
}

// title returns the name of a step in the report.
func title(step *Step, name string) string {
	if step.Name != "" {
		return step.Name
	}
	return name
}

// at finds a topic by the name that a step has for it.
func (s *Script) at(place *int, name string) error {
	if len(s.Topics) == 0 {
		return errors.New("there are no topics: say under topics which ones users join")
	}
	if *place = max(0, s.topicNamed(name)); name != "" && s.topicNamed(name) < 0 {
		var all []string
		for _, t := range s.Topics {
			all = append(all, t.As)
		}
		return fmt.Errorf("topic %q is none of those under topics: %s", name, strings.Join(all, ", "))
	}
	return nil
}

// named is a step that is about one topic.
func (s *Script) named(step *Step, name, verb string) error {
	err := s.at(&step.At, name)
	if verb == "join" && err == nil {
		step.Meter = s.Topics[step.At].Meter
		return nil
	}
	step.Meter = s.meter(title(step, verb+" "+name), verb)
	return err
}

func (s *Script) checkPush(step *Step) error {
	if err := s.at(&step.At, step.Topic); err != nil {
		return err
	}
	name := title(step, "push "+step.Push)
	if step.Reply != nil {
		if err := step.Reply.check(); err != nil {
			return err
		}
		step.Meter = s.meter(name, "reply")
	} else {
		step.Meter = s.meter(name, "push")
	}
	switch binary := !step.Binary.Empty(); {
	case binary && !step.Payload.Empty():
		return errors.New("payload and binary: the one or the other")
	case binary && s.Target.Vsn == channels.V1:
		return errors.New("binary: version 1.0.0 of the serializer has no binary messages")
	case step.Broadcast == nil:
		return nil
	}
	return s.checkBroadcast(step, name)
}

func (s *Script) checkBroadcast(step *Step, name string) error {
	b := step.Broadcast
	if !stamped(step.Payload.parts) && !stamped(step.Binary.parts) {
		return errors.New("broadcast: it is known by its stamp: put {{stamp}} into a field of the payload that the application passes on")
	}
	if b.Event == "" {
		b.Event = step.Push
	}
	if b.To == "" {
		b.To = All
	}
	if !slices.Contains([]string{All, Others, Self}, b.To) {
		return fmt.Errorf("broadcast.to: %q: want %s, %s or %s", b.To, All, Others, Self)
	}
	b.At = step.At
	s.Marked[b.Event] = true
	step.Heard = s.meter(name, "broadcast")
	if b.Topic == "" {
		return nil
	}
	return s.at(&b.At, b.Topic)
}

func (s *Script) checkChoices(choices []Choice) error {
	var sum float64
	for i := range choices {
		c := &choices[i]
		if c.Weight == nil {
			one := 1.
			c.Weight = &one
		}
		if !isAmount(*c.Weight) {
			return fmt.Errorf("choose[%d].weight: want a number, not below 0", i)
		}
		sum += *c.Weight
		if err := s.checkSteps(c.Steps); err != nil {
			return err
		}
	}
	if sum == 0 {
		return errors.New("choose: there is nothing to choose from, or all weights are 0")
	}
	return nil
}

// checkExpressions finds names that stand for nothing, and values of the table that
// are not what a filter wants.
func (s *Script) checkExpressions() error {
	saved := s.saved()
	var errs []error
	s.expressions(func(e *expr) {
		fail := func(format string, args ...any) {
			errs = append(errs, fmt.Errorf("line %d: {{%s}}: %s", e.line, e.source, fmt.Sprintf(format, args...)))
		}
		switch {
		case e.name == "saved" && !saved[e.field]:
			fail("no reply saves anything under that name")
		case e.name == "user" && len(s.columns) == 0:
			fail("there is no table of users: say users.file")
		case e.name == "user" && !slices.Contains(s.columns, e.field):
			fail("the table of users has no such column: there are %s", strings.Join(s.columns, ", "))
		case e.name == "user" && e.filter != "":
			for i := range s.rows {
				scope := Scope{Script: s, N: s.first + i + 1}
				if _, err := scope.value(e); err != nil {
					errs = append(errs, err)
					return
				}
			}
		}
	})
	return errors.Join(errs...)
}

// saved are the names under which replies save something.
func (s *Script) saved() map[string]bool {
	names := make(map[string]bool)
	add := func(r *Reply) {
		if r != nil {
			for name := range r.Save {
				names[name] = true
			}
		}
	}
	for _, t := range s.Topics {
		add(t.Reply)
	}
	s.walk(s.Steps, func(step *Step) { add(step.Reply) })
	return names
}

// walk calls do with all steps, those within others too.
func (s *Script) walk(steps []*Step, do func(*Step)) {
	for _, step := range steps {
		do(step)
		if step.Repeat != nil {
			s.walk(step.Repeat.Steps, do)
		}
		for _, c := range step.Choose {
			s.walk(c.Steps, do)
		}
	}
}

// Most is how many users there are rows for, 0 if any number.
func (s *Script) Most() int {
	if s.Users.Reuse {
		return 0
	}
	return len(s.rows)
}

// Fits reports an error if there are too few rows for so many users.
func (s *Script) Fits(users int) error {
	if most := s.Most(); most > 0 && users > most {
		return fmt.Errorf("users: %d users, and %d rows in %s: add rows, or say reuse: true to have users take them in turn", users, len(s.rows), s.Users.File)
	}
	return nil
}
