package token_test

import (
	"bytes"
	"errors"
	"reflect"
	"testing"

	"github.com/roost-rt/roost/server/token"
)

// The seeds are in testdata/fuzz.

// FuzzVerify gives strings to Verify and Decrypt: nobody guesses a token.
func FuzzVerify(f *testing.F) {
	tokens := newTokens(f, after(0))
	genuine := map[string]bool{
		fortyTwo: true, fortyTwo384: true, fortyTwo512: true, fortyTwoXCP: true, userXCP: true, userForever: true, uHalfASecond: true,
	}
	f.Fuzz(func(t *testing.T, tok string) {
		if genuine[tok] {
			return
		}
		if got, err := tokens.Verify(salt, tok, 0); got != nil || !known(err) {
			t.Errorf("Verify(%q) = %v, %v, want a named error", tok, got, err)
		}
		if got, err := tokens.Decrypt(salt, tok, 0); got != nil || !known(err) {
			t.Errorf("Decrypt(%q) = %v, %v, want a named error", tok, got, err)
		}
	})
}

func known(err error) bool {
	return errors.Is(err, token.ErrMissing) || errors.Is(err, token.ErrInvalid) || errors.Is(err, token.ErrExpired)
}

// FuzzETF: what decodes can be encoded, unless that is longer, and comes back
// the same.
func FuzzETF(f *testing.F) {
	f.Fuzz(func(t *testing.T, data []byte) {
		term, err := token.Decode(data)
		if err != nil {
			if term != nil || !errors.Is(err, token.ErrTerm) {
				t.Errorf("Decode(%x) = %v, %v, want ErrTerm", data, term, err)
			}
			return
		}
		encoded, err := token.Encode(term)
		if err != nil {
			if !errors.Is(err, token.ErrTerm) || len(data) < token.MaxTerm/8 {
				t.Errorf("Encode(%#v) = %v", term, err)
			}
			return
		}
		again, err := token.Decode(encoded)
		if !reflect.DeepEqual(again, term) || err != nil {
			t.Errorf("Decode(%x) = %#v, %v, want %#v", encoded, again, err, term)
		}
		if twice, err := token.Encode(again); !bytes.Equal(twice, encoded) || err != nil {
			t.Errorf("Encode(%#v) = %x, %v, want %x", again, twice, err, encoded)
		}
	})
}
