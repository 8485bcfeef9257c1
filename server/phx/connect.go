package phx

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/roost-rt/roost/server/internal/origins"
)

// connectInfo holds what Connect can ask about its request.
type connectInfo struct {
	token   *string
	session map[string]any
}

// A connectKey is a key in the context of Connect's request.
type connectKey struct{}

func infoOf(r *http.Request) connectInfo {
	info, _ := r.Context().Value(connectKey{}).(connectInfo)
	return info
}

// AuthToken returns the token that the client sent with the request of a
// Connect, as [Mount.AuthToken] allows, and whether it sent one (spec §1.5).
func AuthToken(r *http.Request) (token string, ok bool) {
	if t := infoOf(r).token; t != nil {
		return *t, true
	}
	return "", false
}

// Session returns the session of [Mount.Sessions] that the request of a Connect
// belongs to, or nil if there is none.
func Session(r *http.Request) map[string]any { return infoOf(r).session }

// connect asks the application whether a client may connect. token is nil if
// there is none.
func (m *mount) connect(s *Socket, params Params, r *http.Request, token *string) *RefuseError {
	info := connectInfo{token: token}
	if m.Sessions != nil {
		info.session = m.Sessions.forSocket(r, params)
	}
	r = r.WithContext(context.WithValue(r.Context(), connectKey{}, info))
	accepted := false
	defer func() { // also after a panic
		if !accepted {
			s.reject()
		}
	}()
	err := m.Connect(s, params, r)
	if err == nil {
		accepted = true
		return nil
	}
	var refusal *RefuseError
	switch {
	case !errors.As(err, &refusal):
		return &RefuseError{cause: err}
	case refusal == nil:
		return &RefuseError{cause: errNilRefusal}
	}
	return refusal
}

// errNilRefusal is why a client is refused although the application meant to let it in:
// an error that holds a nil pointer is not nil.
var errNilRefusal = errors.New("a nil *RefuseError as an error from Connect: return nil instead")

var errPanic = errors.New("panic in Connect or CheckOrigin")

// contain, deferred, makes a refusal of the application's panic.
func (m *mount) contain(err *error) {
	if r := recover(); r != nil {
		m.log.Error("panic in Connect or CheckOrigin", "mount", m.Path, "panic", r, "stack", string(debug.Stack()))
		*err = &RefuseError{Status: http.StatusInternalServerError, cause: errPanic}
	}
}

// Entries of Mount.Origins that are no addresses.
const (
	// AnyOrigin allows pages from any origin. A server that trusts cookies must not use
	// it (spec §10.3).
	AnyOrigin = origins.Any

	// SelfOrigin allows pages whose scheme, host and port are those of the request
	// itself. Behind a proxy that terminates TLS, pages use https and requests do not.
	SelfOrigin = origins.Self
)

// allows decides on an Origin header.
func (m *mount) allows(origin, scheme, host string) bool {
	if m.origins.Allows(origin, scheme, host) {
		return true
	}
	m.log.Info("origin refused", "mount", m.Path, "origin", origin, "host", host,
		"fix", "add it to Mount.Origins if pages from there may connect")
	return false
}

// chooses reports whether subprotocols matter at all.
func (m *mount) chooses() bool { return m.AuthToken || len(m.Subprotocols) > 0 }

const (
	phoenixProtocol = "phoenix"               // of a client that has an auth token
	bearerPrefix    = "base64url.bearer.phx." // of the token itself
)

// subprotocol is the first of ours that the client offers, or "".
func (m *mount) subprotocol(offers []string) string {
	if m.AuthToken && slices.Contains(offers, phoenixProtocol) {
		return phoenixProtocol
	}
	for _, ours := range m.Subprotocols {
		if slices.Contains(offers, ours) {
			return ours
		}
	}
	return ""
}

var errBearer = errors.New("the auth token is not base64")

// bearer takes the auth token out of the offered subprotocols. Of two there is
// none. Official clients use the standard alphabet in spite of the name; both
// are understood, with or without padding (spec §1.5).
func bearer(offers []string) (token *string, rest []string, err error) {
	var encoded []string
	for _, offer := range offers {
		if text, ok := strings.CutPrefix(offer, bearerPrefix); ok {
			encoded = append(encoded, text)
		} else {
			rest = append(rest, offer)
		}
	}
	if len(encoded) != 1 {
		return nil, rest, nil
	}
	text := strings.NewReplacer("-", "+", "_", "/").Replace(strings.TrimRight(encoded[0], "="))
	b, err := base64.RawStdEncoding.DecodeString(text)
	if err != nil {
		return nil, nil, errBearer
	}
	decoded := string(b)
	return &decoded, rest, nil
}
