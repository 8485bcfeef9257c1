package phx

import (
	"cmp"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"maps"
	"net/http"
	"time"

	"github.com/roost-rt/roost/server/token"
)

// Sessions are signed cookies with which pages tell sockets who their user is
// (spec §1.6). Browsers send cookies with requests from any page, so a socket
// gets the session only if the page also knows its CSRF token:
//
//	csrf, err := sessions.Start(w, map[string]any{"user_id": "7"}) // in the HTTP handler; put csrf into the page
//	new Socket("/socket", {params: {_csrf_token: csrf}})           // in the page
//	user := phx.Session(r)["user_id"]                              // in Connect
type Sessions struct {
	// Tokens signs the cookies.
	Tokens *token.Tokens

	// Cookie is the name of the cookie. Empty means "_roost_session".
	Cookie string

	// MaxAge is how long a session lasts. Zero means two weeks.
	MaxAge time.Duration

	// Insecure lets the cookie travel over http as well.
	Insecure bool

	// SkipCSRF gives sockets the session without a CSRF token. Then only Origins keeps
	// other pages out, and it must not be AnyOrigin.
	SkipCSRF bool
}

const (
	sessionSalt = "roost session"
	csrfKey     = "_csrf_token" // in the session, and of the connect parameter
	csrfSize    = 18            // bytes: 24 characters, as Plug's
)

// Start begins a session, replacing any other, by setting the cookie. It
// returns a CSRF token for the page. The values must be of types that package
// token can carry.
func (s *Sessions) Start(w http.ResponseWriter, values map[string]any) (csrf string, err error) {
	secret := make([]byte, csrfSize)
	_, _ = rand.Read(secret) // never fails
	session := make(map[string]any, len(values)+1)
	maps.Copy(session, values)
	session[csrfKey] = base64.RawURLEncoding.EncodeToString(secret) // also in place of what Read returned
	signed, err := s.Tokens.Sign(sessionSalt, session)
	if err != nil {
		return "", err
	}
	http.SetCookie(w, &http.Cookie{
		Name: s.name(), Value: signed, Path: "/", MaxAge: int(s.maxAge().Seconds()),
		HttpOnly: true, Secure: !s.Insecure, SameSite: http.SameSiteLaxMode,
	})
	return mask(secret), nil
}

// CSRF returns a CSRF token for another page of an existing session, or "" if r
// has none. The token differs on every call, so that compressed pages do not
// reveal it.
func (s *Sessions) CSRF(r *http.Request) string {
	secret := csrfSecret(s.Read(r))
	if secret == nil {
		return ""
	}
	return mask(secret)
}

// Read returns the session for which r has a cookie, or nil if there is none.
func (s *Sessions) Read(r *http.Request) map[string]any {
	cookie, err := r.Cookie(s.name())
	if err != nil {
		return nil
	}
	data, err := s.Tokens.Verify(sessionSalt, cookie.Value, s.maxAge())
	if err != nil {
		return nil
	}
	session, _ := data.(map[string]any)
	return session
}

// forSocket returns the session of a connect request. Without a good CSRF token there
// is none, but the connection goes on: refusing it is up to Connect.
func (s *Sessions) forSocket(r *http.Request, params Params) map[string]any {
	session := s.Read(r)
	if session != nil && !s.SkipCSRF && !unmasks(params.String(csrfKey), csrfSecret(session)) {
		return nil
	}
	return session
}

func (s *Sessions) name() string          { return cmp.Or(s.Cookie, "_roost_session") }
func (s *Sessions) maxAge() time.Duration { return cmp.Or(s.MaxAge, 14*24*time.Hour) }

func csrfSecret(session map[string]any) []byte {
	text, _ := session[csrfKey].(string)
	secret, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(secret) != csrfSize {
		return nil
	}
	return secret
}

// mask hides a secret behind random bytes, which come first.
func mask(secret []byte) string {
	masked := make([]byte, 2*csrfSize)
	_, _ = rand.Read(masked[:csrfSize]) // never fails
	subtle.XORBytes(masked[csrfSize:], masked, secret)
	return base64.RawURLEncoding.EncodeToString(masked)
}

// unmasks reports whether text is the secret behind a mask.
func unmasks(text string, secret []byte) bool {
	masked, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(masked) != 2*csrfSize || secret == nil {
		return false
	}
	subtle.XORBytes(masked, masked[:csrfSize], masked[csrfSize:])
	return subtle.ConstantTimeCompare(masked[:csrfSize], secret) == 1
}
