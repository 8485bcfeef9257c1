package api

import (
	"crypto/sha256"
	"crypto/subtle"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/roost-rt/roost/server/phx"
	"github.com/roost-rt/roost/server/presence"
)

//go:embed openapi.yaml
var openAPI []byte

// MinToken is the least number of characters in a token: no one guesses 16 random ones.
const MinToken = 16

// maxLarge is how many bodies are read at a time, of up to maxBody bytes each, and how
// many lists of presences there are at a time.
const (
	maxLarge = 16
	maxBody  = 17 << 20         // beyond the largest payload that an endpoint lets out by default
	bodyTime = 30 * time.Second // that one may take
)

// A Config says who may use the API, and what it has.
type Config struct {
	// Token is the secret that requests carry as "Authorization: Bearer TOKEN". It has at
	// least MinToken characters.
	Token string `json:"-"`

	// Presence tells who is on a topic. Nil means that such requests are answered 404.
	Presence *presence.Presence
}

type api struct {
	endpoint *phx.Endpoint
	presence *presence.Presence // or nil
	lists    http.Handler       // of phx, below /v1
	token    [sha256.Size]byte
	bodies   chan struct{} // a place of each that is read
	crowds   chan struct{} // likewise, of each list of presences
}

// New returns the API of an endpoint. It fails if the token is short.
func New(ep *phx.Endpoint, cfg Config) (http.Handler, error) {
	if len(cfg.Token) < MinToken {
		return nil, fmt.Errorf("api: Config.Token has %d characters: want at least %d, such as those of: openssl rand -hex 16", len(cfg.Token), MinToken)
	}
	a := &api{
		endpoint: ep, presence: cfg.Presence, lists: http.StripPrefix("/v1", ep.AdminHandler()), token: sha256.Sum256([]byte(cfg.Token)),
		bodies: make(chan struct{}, maxLarge), crowds: make(chan struct{}, maxLarge),
	}
	inside, mux := http.NewServeMux(), http.NewServeMux()
	for pattern, serve := range a.routes() {
		inside.HandleFunc(pattern, serve)
		method, path, _ := strings.Cut(pattern, " ")
		inside.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Allow", method)
			fail(w, http.StatusMethodNotAllowed, fmt.Errorf("the method is %s: want %s", r.Method, method))
		})
	}
	inside.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		fail(w, http.StatusNotFound, errors.New("there is nothing here; GET /openapi.yaml says what there is"))
	})
	mux.Handle("/", a.guard(inside))
	mux.HandleFunc("GET /openapi.yaml", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/yaml")
		_, _ = w.Write(openAPI) // who is gone needs no answer
	})
	return mux, nil
}

func (a *api) routes() map[string]http.HandlerFunc {
	return map[string]http.HandlerFunc{
		"POST /v1/broadcast":               a.broadcast,
		"GET /v1/topics":                   a.topics,
		"GET /v1/topics/{topic}":           a.topic,
		"GET /v1/topics/{topic}/presence":  a.present,
		"POST /v1/sockets/{id}/disconnect": a.disconnect,
	}
}

// guard asks for the token. It gives every body some time, because a server reads the
// rest of a body that no handler wanted.
func (a *api) guard(inside http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ContentLength != 0 {
			_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(bodyTime)) // what cannot has limits of its own
		}
		got := sha256.Sum256([]byte(tokenOf(r))) // of one length, whatever it is
		if subtle.ConstantTimeCompare(got[:], a.token[:]) != 1 {
			w.Header().Set("WWW-Authenticate", "Bearer")
			fail(w, http.StatusUnauthorized, errors.New("the token is missing or wrong"))
			return
		}
		inside.ServeHTTP(w, r)
	})
}

// tokenOf is the token that a request has, or "". Schemes may be written in any case:
// RFC 9110, section 11.1.
func tokenOf(r *http.Request) string {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return token
}

// fail answers with an error.
func fail(w http.ResponseWriter, status int, err error) {
	answer(w, status, map[string]string{"error": err.Error()})
}

func answer(w http.ResponseWriter, status int, body any) {
	text, err := json.Marshal(body)
	if err != nil { // of what Config.Fetch of presence has added
		status, text = http.StatusInternalServerError, []byte(`{"error":"the answer is no JSON"}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(append(text, '\n')) // who is gone needs no answer
}
