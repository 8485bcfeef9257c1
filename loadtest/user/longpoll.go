package user

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/roost-rt/roost/loadtest/channels"
	"github.com/roost-rt/roost/loadtest/script"
)

// pollTimeout is how long an answer may take: twice the window of a server.
const pollTimeout = 20 * time.Second

// A longPoll is a session of the long-polling transport, spec §3.
type longPoll struct {
	ctx    context.Context
	cancel context.CancelFunc
	client *http.Client
	url    string // without the session's token
	header http.Header
	v1     bool
	queue  []string // received

	mu    sync.Mutex // held during a POST: they must keep their order
	token string     // written before anything is sent
}

// polled is the body of an answer.
type polled struct {
	Status   int      `json:"status"`
	Token    string   `json:"token"`
	Messages []string `json:"messages"`
}

// openLongPoll begins a session.
func openLongPoll(ctx context.Context, t *targets, s *script.Script, scope *script.Scope) (transport, error) {
	to := t.of(scope.N)
	q, err := query(to, s, scope)
	if err != nil {
		return nil, err
	}
	g, err := greeting(s, scope)
	if err != nil {
		return nil, err
	}
	h := make(http.Header)
	for _, line := range g.Headers {
		name, value, _ := strings.Cut(line, ": ")
		h.Set(name, value)
	}
	if g.AuthToken != "" {
		h.Set("X-Phoenix-AuthToken", g.AuthToken)
	}
	to.url.Scheme = strings.Replace(to.url.Scheme, "ws", "http", 1)
	to.url.RawQuery = q
	l := &longPoll{client: &http.Client{Transport: t.polling}, url: to.url.String(), header: h, v1: s.Target.Vsn == channels.V1}
	l.ctx, l.cancel = context.WithCancel(context.WithValue(context.Background(), userNumber{}, scope.N))
	stop := context.AfterFunc(ctx, l.cancel)
	p, err := l.request(http.MethodGet, nil)
	if !stop() && err == nil {
		err = context.Cause(ctx)
	}
	switch {
	case err != nil:
		l.cancel()
		return nil, err
	case p.Status != http.StatusGone || p.Token == "":
		l.cancel()
		return nil, &refusal{status: p.Status}
	}
	l.token = p.Token
	return l, nil
}

// request asks once. The real status is in the body.
func (l *longPoll) request(method string, body []byte) (p polled, err error) {
	ctx, cancel := context.WithTimeout(l.ctx, pollTimeout)
	defer cancel()
	target := l.url
	if l.token != "" {
		target += "&token=" + url.QueryEscape(l.token)
	}
	r, err := http.NewRequestWithContext(ctx, method, target, bytes.NewReader(body))
	if err != nil {
		return p, errors.New("long poll: not a URL") // a token may be in it
	}
	r.Header, r.Host = l.header.Clone(), l.header.Get("Host")
	if body != nil {
		r.Header.Set("Content-Type", "application/x-ndjson")
		if l.v1 {
			r.Header.Set("Content-Type", "application/json")
		}
	}
	answer, err := l.client.Do(r)
	if err != nil {
		var with *url.Error
		if errors.As(err, &with) { // the URL says who it is
			err = with.Err
		}
		return p, fmt.Errorf("long poll: %w", err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, frames.MaxMessage))
	if err != nil {
		return p, fmt.Errorf("long poll: %w", err)
	}
	if json.Unmarshal(text, &p) != nil || p.Status == 0 {
		return p, &refusal{answer.StatusCode, channels.Excerpt(text)}
	}
	return p, nil
}

func (l *longPoll) send(data []byte, binary bool) error {
	if binary {
		data = []byte(base64.StdEncoding.EncodeToString(data))
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	p, err := l.request(http.MethodPost, data)
	if err == nil && p.Status != http.StatusOK {
		err = fmt.Errorf("long poll: POST was answered %d", p.Status)
	}
	return err
}

func (l *longPoll) receive() (data []byte, binary bool, err error) {
	for len(l.queue) == 0 {
		p, err := l.request(http.MethodGet, nil)
		switch {
		case err != nil:
			return nil, false, err
		case p.Status != http.StatusOK && p.Status != http.StatusNoContent:
			return nil, false, fmt.Errorf("long poll: session ended: %d", p.Status)
		}
		l.queue = p.Messages
	}
	data, l.queue = []byte(l.queue[0]), l.queue[1:]
	return data, false, nil
}

func (l *longPoll) beats() bool { return false }

func (l *longPoll) close() { l.cancel() }
