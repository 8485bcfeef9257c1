// Package token makes and reads the tokens of Elixir's Phoenix.Token (spec
// §10.1): server data that a client carries and cannot change or, with
// [Tokens.Encrypt], even read. With the same secret and salt, Go and Elixir
// accept each other's tokens.
//
// It is not a session store, and a single token cannot be revoked: a new secret
// or salt invalidates all of them, and age expires each.
//
// It is pure except for the clock and the system's randomness. A [Tokens] is
// safe for concurrent use.
//
// # Data
//
// Tokens carry Erlang terms:
//
//	Go                Elixir                        and back in Go
//	nil, bool         nil, true, false              nil, bool
//	int, int64        integer                       int64
//	float64           float                         float64
//	string, []byte    binary                        string
//	Atom              other atoms                   Atom
//	[]any             list                          []any
//	Tuple             tuple                         Tuple
//	map[string]any    map with keys of binaries     map[string]any
//
// So a 7 comes back as an int64; [VerifyAs] converts it to an int again.
//
// A map from Elixir may also have atoms as keys. Anything else is [ErrTerm], as
// are integers of more than 64 bits and terms over 64 KiB or 64 levels.
package token

import (
	"encoding/base64"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/roost-rt/roost/server/internal/number"
)

// Errors of a token or its data, for errors.Is.
var (
	// ErrMissing means that there is no token: it is empty.
	ErrMissing = errors.New("token: missing")
	// ErrInvalid means that the token was not made with this secret and salt,
	// or was made in the future.
	ErrInvalid = errors.New("token: invalid")
	// ErrExpired means that the token is genuine but too old.
	ErrExpired = errors.New("token: expired")
	// ErrTerm means data that tokens cannot carry. Found in a token, it is wrapped with
	// ErrInvalid.
	ErrTerm = errors.New("token: not a term that tokens carry")
	// ErrType means that the token is genuine but its data has another type than
	// requested. It is wrapped with ErrInvalid.
	ErrType = errors.New("token: data of another type")
)

// Forever is the age limit of a token that does not expire: Elixir's :infinity.
const Forever time.Duration = math.MaxInt64

const (
	minSecret = 20                // bytes; spec §10.1
	maxToken  = maxTerm*4/3 + 256 // bytes; longer than any we make, so not worth hashing
)

// A Config configures [Tokens]. Its zero value has the defaults of Phoenix.
type Config struct {
	// MaxAge is the age limit in new tokens, for verifiers that do not set
	// their own. Zero means 24 hours.
	MaxAge time.Duration

	// Now is the clock. Nil means time.Now.
	Now func() time.Time `json:"-"`
}

// Tokens makes and reads the tokens of one secret.
type Tokens struct {
	maxAge time.Duration
	now    func() time.Time
	keys   keyring
}

// New returns the [Tokens] of a secret, at least 20 random bytes. In Phoenix it
// is the secret_key_base of the endpoint.
func New(secret string, c Config) (*Tokens, error) {
	switch {
	case len(secret) < minSecret:
		return nil, fmt.Errorf("token: the secret has %d bytes, want at least %d: try openssl rand -base64 48", len(secret), minSecret)
	case c.MaxAge < 0:
		return nil, fmt.Errorf("token: MaxAge is %v: use Forever for no limit", c.MaxAge)
	case c.MaxAge == 0:
		c.MaxAge = 24 * time.Hour
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Tokens{maxAge: c.MaxAge, now: c.Now, keys: keyring{secret: secret}}, nil
}

// Sign returns a token of data that anyone can read and no one can change. The
// salt names the token's purpose: a token made for one salt is invalid for
// another. It is not secret; use a few constants.
//
// Data that cannot be carried is [ErrTerm].
func (t *Tokens) Sign(salt string, data any) (string, error) {
	return t.seal(sign, salt, data)
}

// Verify returns the data of a token that [Tokens.Sign] made for the same salt
// at most maxAge ago. A maxAge of zero means the limit in the token; Forever
// accepts any date, even in the future; a negative one makes every token
// expired.
//
// It fails with [ErrMissing], [ErrInvalid] or [ErrExpired].
func (t *Tokens) Verify(salt, token string, maxAge time.Duration) (any, error) {
	return t.open(verify, salt, token, maxAge)
}

// VerifyAs is [Tokens.Verify] for data that must be a T: one of the types of
// decoded data, or any number type, including named ones, that can hold the
// number exactly. Otherwise it fails with [ErrType].
func VerifyAs[T any](t *Tokens, salt, token string, maxAge time.Duration) (T, error) {
	return as[T](t.Verify(salt, token, maxAge))
}

// Encrypt is [Tokens.Sign] for data that no one else may read. Phoenix derives
// one key for both, so give the two different salts.
func (t *Tokens) Encrypt(salt string, data any) (string, error) {
	return t.seal(encrypt, salt, data)
}

// Decrypt is Verify for the tokens of [Tokens.Encrypt]. The AES-GCM tokens of
// plug_crypto 1 are not read: [ErrInvalid].
func (t *Tokens) Decrypt(salt, token string, maxAge time.Duration) (any, error) {
	return t.open(decrypt, salt, token, maxAge)
}

// DecryptAs is [VerifyAs] for [Tokens.Decrypt].
func DecryptAs[T any](t *Tokens, salt, token string, maxAge time.Duration) (T, error) {
	return as[T](t.Decrypt(salt, token, maxAge))
}

func as[T any](data any, err error) (typed T, _ error) {
	if err != nil {
		return typed, err
	}
	typed, err = number.As[T](data)
	if err != nil {
		return typed, fmt.Errorf("%w: %w: %w", ErrInvalid, ErrType, err)
	}
	return typed, nil
}

func (t *Tokens) seal(wrap func(key, term []byte) (string, error), salt string, data any) (string, error) {
	term, err := encode(Tuple{data, t.now().UnixMilli(), seconds(t.maxAge)})
	if err != nil {
		return "", err
	}
	key, err := t.keys.key(salt)
	if err != nil {
		return "", err
	}
	return wrap(key, term)
}

func (t *Tokens) open(unwrap func(key []byte, token string) (term []byte, ok bool), salt, token string, maxAge time.Duration) (any, error) {
	switch {
	case token == "":
		return nil, ErrMissing
	case len(token) > maxToken:
		return nil, ErrInvalid
	}
	key, err := t.keys.key(salt)
	if err != nil {
		return nil, err
	}
	term, ok := unwrap(key, token)
	if !ok {
		return nil, ErrInvalid
	}
	content, err := decode(term)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	return ifFresh(content, t.now().UnixMilli(), maxAge)
}

// base64url has no padding, and one spelling for the same bytes, except for line
// breaks.
var base64url = base64.RawURLEncoding.Strict()
