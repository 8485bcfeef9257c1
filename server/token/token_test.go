package token_test

import (
	"encoding/hex"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/roost-rt/roost/server/token"
)

const (
	secret = "abcdefghabcdefghabcdefghabcdefghabcdefghabcdefghabcdefghabcdefgh"
	salt   = "user socket"
)

// signedAt is the date of all vectors.
var signedAt = time.Unix(1700000000, 0)

// Tokens of plug_crypto 2.1.1 on Erlang/OTP 25. The first is the vector of
// spec appendix B too.
const (
	fortyTwo     = "SFMyNTY.g2gDYSpuBgAAaOXPiwFiAAFRgA.Px7HbQy1EbxFxR9Nw7Yu9lo3m8mKLfdITBiZqF-seNQ"
	fortyTwo384  = "SFMzODQ.g2gDYSpuBgAAaOXPiwFiAAFRgA.H9YszGTMvkfQ9yyVVVDBhYtuQqc7TdXQ76Jlee5_bl8mJlWjvCGlPBgyDNHA9iP8"
	fortyTwo512  = "SFM1MTI.g2gDYSpuBgAAaOXPiwFiAAFRgA.v9o9zBuvpw-qzKjHLZSoq32e8SNPiLWq5ymhNyA3PX7veSV5rVXiZa8lfHoyjD4fPUPkzlRhxkyFsScwhDs0sA"
	fortyTwoXCP  = "XCP.XnanXyJPY5a-MwE_t1aMEf1qulx6ulcNuWsWOXHsi2frtH4Utz5V-E12qljpGbxWd5Jqbt6rDPtGnAg"
	userXCP      = "XCP.4SW83lyv0nCkXdP3mb6G9kqzxxkDqxioam9mEcIotH7m131pqc6223iBgiI76TPEJXxUkHqwdJk2d-KwK7DT70lEpDjUH24kApxPs6ZMvhKx-K4"
	userForever  = "SFMyNTY.g2gDdAAAAAJkAAJpZGEHZAAEbmFtZW0AAAACw6luBgAAaOXPiwFkAAhpbmZpbml0eQ.ch6lnu5dlHqeXBX9qrDzy6rS_5zBZtPa-xF0XA_aBY0"
	uHalfASecond = "SFMyNTY.g2gDbQAAAAF1bgYAAGjlz4sBRj_gAAAAAAAA.4KOKxhrXeHuIkut3u9tagLOkbWIcZs3eAdM-Je5Rbnw"
	uNoTime      = "SFMyNTY.g2gDbQAAAAF1bgYAAGjlz4sBYQA.S20ieAlw6cPLwmjq4zauWoUVFRulbeRwVu7Z1VZG1TY"
	aPid         = "SFMyNTY.g2gDWGQADW5vbm9kZUBub2hvc3QAAABgAAAAAAAAAABuBgAAaOXPiwFiAAFRgA.mY1ymXyh0eB6Uulr_cJrh7CvCIdLdscg2vhL5UWh-Gw"
)

func newTokens(t testing.TB, c token.Config) *token.Tokens {
	t.Helper()
	tokens, err := token.New(secret, c)
	if err != nil {
		t.Fatal(err)
	}
	return tokens
}

// after is a clock that stands still, some time after signedAt.
func after(d time.Duration) token.Config {
	return token.Config{Now: func() time.Time { return signedAt.Add(d) }}
}

func TestKey(t *testing.T) {
	const want = "d3f12b5b79f2122342c5c52cb5d451bb588e5c5af0a7c73cf6a90cc45b397d80" // spec appendix B
	key, err := newTokens(t, token.Config{}).Key(salt)
	if got := hex.EncodeToString(key); got != want || err != nil {
		t.Errorf("Key(%q) = %s, %v, want %s", salt, got, err, want)
	}
}

func TestSignVector(t *testing.T) {
	if got, err := newTokens(t, after(0)).Sign(salt, 42); got != fortyTwo || err != nil {
		t.Errorf("Sign(42) = %q, %v, want %q", got, err, fortyTwo)
	}
}

// open calls Verify or Decrypt, as the token wants.
func open(tokens *token.Tokens, salt, tok string, maxAge time.Duration) (any, error) {
	if strings.HasPrefix(tok, "XCP") {
		return tokens.Decrypt(salt, tok, maxAge)
	}
	return tokens.Verify(salt, tok, maxAge)
}

func TestVerifyVectors(t *testing.T) {
	const day = 24 * time.Hour
	user := map[string]any{"id": int64(7), "name": "é"}
	for _, tt := range []struct {
		name   string
		token  string
		now    time.Duration // after signedAt
		maxAge time.Duration
		want   any
		err    error
	}{
		{"HS256", fortyTwo, 0, 0, int64(42), nil},
		{"HS384", fortyTwo384, 0, 0, int64(42), nil},
		{"HS512", fortyTwo512, 0, 0, int64(42), nil},
		{"encrypted", fortyTwoXCP, 0, 0, int64(42), nil},
		{"encrypted map", userXCP, 0, 0, user, nil},

		{"last moment", fortyTwo, day, 0, int64(42), nil},
		{"too late", fortyTwo, day + time.Millisecond, 0, nil, token.ErrExpired},
		{"encrypted, last moment", fortyTwoXCP, day, 0, int64(42), nil},
		{"encrypted, too late", fortyTwoXCP, day + time.Millisecond, 0, nil, token.ErrExpired},
		{"longer limit here", fortyTwo, 2 * day, 2 * day, int64(42), nil},
		{"shorter limit here", fortyTwo, 2 * time.Second, time.Second, nil, token.ErrExpired},
		{"no time here", fortyTwo, 0, -1, nil, token.ErrExpired},
		{"no limit here", fortyTwo, 100000 * day, token.Forever, int64(42), nil},
		{"from the future", fortyTwo, -time.Millisecond, 0, nil, token.ErrInvalid},
		{"from the future, limit here", fortyTwo, -time.Millisecond, time.Hour, nil, token.ErrInvalid},
		{"from the future, no limit here", fortyTwo, -time.Millisecond, token.Forever, int64(42), nil},
		{"encrypted, from the future", fortyTwoXCP, -time.Millisecond, 0, nil, token.ErrInvalid},

		{"no limit there", userForever, 100000 * day, 0, user, nil},
		{"no limit there, but here", userForever, 2 * time.Second, time.Second, nil, token.ErrExpired},
		{"fraction of a second", uHalfASecond, 500 * time.Millisecond, 0, "u", nil},
		{"fraction of a second, too late", uHalfASecond, 501 * time.Millisecond, 0, nil, token.ErrExpired},
		{"no time there", uNoTime, 0, 0, nil, token.ErrExpired},
		{"no time there, but here", uNoTime, time.Second, time.Second, "u", nil},
	} {
		got, err := open(newTokens(t, after(tt.now)), salt, tt.token, tt.maxAge)
		if !reflect.DeepEqual(got, tt.want) || !errors.Is(err, tt.err) {
			t.Errorf("%s: %q after %v, max %v = %v, %v, want %v, %v", tt.name, tt.token, tt.now, tt.maxAge, got, err, tt.want, tt.err)
		}
	}
}

func TestVerifyFailures(t *testing.T) {
	tokens := newTokens(t, after(0))
	now := signedAt.UnixMilli()
	// signed signs what Sign would not.
	signed := func(term any) string {
		t.Helper()
		tok, err := tokens.SignTerm(salt, term)
		if err != nil {
			t.Fatal(err)
		}
		return tok
	}
	for _, tt := range []struct {
		name  string
		token string
		err   error
	}{
		{"empty", "", token.ErrMissing},
		{"no dots", "garbage", token.ErrInvalid},
		{"dots only", "..", token.ErrInvalid},
		{"no signature", fortyTwo[:strings.LastIndexByte(fortyTwo, '.')], token.ErrInvalid},
		{"empty signature", fortyTwo[:strings.LastIndexByte(fortyTwo, '.')+1], token.ErrInvalid},
		{"no algorithm", strings.TrimPrefix(fortyTwo, "SFMyNTY"), token.ErrInvalid},
		{"algorithm none", "bm9uZQ.g2gDYSpuBgAAaOXPiwFiAAFRgA.", token.ErrInvalid},
		{"other algorithm", strings.Replace(fortyTwo, "SFMyNTY", "SFMzODQ", 1), token.ErrInvalid},
		{"other payload", strings.Replace(fortyTwo, "YSpu", "YStu", 1), token.ErrInvalid},
		{"other signature", strings.Replace(fortyTwo, "Px7", "Px8", 1), token.ErrInvalid},
		{"second spelling of the signature", fortyTwo[:len(fortyTwo)-1] + "R", token.ErrInvalid},
		{"line break in the signature", fortyTwo + "\n", token.ErrInvalid},
		{"four parts", fortyTwo + ".AA", token.ErrInvalid},
		{"too long", fortyTwo + strings.Repeat("A", 100_000), token.ErrInvalid},
		{"a pid", aPid, token.ErrTerm},
		{"a pid is invalid", aPid, token.ErrInvalid},
		{"no tuple", signed(42), token.ErrInvalid},
		{"tuple of two", signed(token.Tuple{1, now}), token.ErrInvalid},
		{"tuple of four", signed(token.Tuple{1, now, 1, 1}), token.ErrInvalid},
		{"date of text", signed(token.Tuple{1, "now", 1}), token.ErrInvalid},
		{"age of text", signed(token.Tuple{1, now, "1"}), token.ErrInvalid},
		{"age below zero", signed(token.Tuple{1, now, -1}), token.ErrExpired},
		{"age far below zero", signed(token.Tuple{1, now, -1e300}), token.ErrExpired},
		{"as old as can be", signed(token.Tuple{1, -1 << 63, 1 << 32}), token.ErrExpired},

		{"XCP empty", "XCP.", token.ErrInvalid},
		{"XCP without ciphertext", "XCP." + strings.Repeat("A", 54), token.ErrInvalid},
		{"XCP too short", "XCP." + strings.Repeat("A", 52), token.ErrInvalid},
		{"XCP other nonce", strings.Replace(fortyTwoXCP, "XCP.X", "XCP.Y", 1), token.ErrInvalid},
		{"XCP other tag", strings.Replace(fortyTwoXCP, "ulcNuWsW", "ulcNvWsW", 1), token.ErrInvalid},
		{"XCP other ciphertext", fortyTwoXCP[:len(fortyTwoXCP)-2] + "BA", token.ErrInvalid},
		{"XCP in a second spelling", fortyTwoXCP[:len(fortyTwoXCP)-1] + "h", token.ErrInvalid},
		{"XCP with a line break", fortyTwoXCP + "\n", token.ErrInvalid},
		{"XCP without prefix", "XCP" + fortyTwoXCP[4:], token.ErrInvalid},
	} {
		if got, err := open(tokens, salt, tt.token, 0); got != nil || !errors.Is(err, tt.err) {
			t.Errorf("%s: %.200q = %v, %v, want %v", tt.name, tt.token, got, err, tt.err)
		}
	}
}

// TestVerifyCut cuts tokens everywhere, and gives each to the other function.
func TestVerifyCut(t *testing.T) {
	tokens := newTokens(t, after(0))
	for n := 1; n < len(fortyTwo); n++ {
		if got, err := tokens.Verify(salt, fortyTwo[:n], 0); !errors.Is(err, token.ErrInvalid) {
			t.Errorf("Verify(%q) = %v, %v, want ErrInvalid", fortyTwo[:n], got, err)
		}
	}
	for n := 1; n < len(userXCP); n++ {
		if got, err := tokens.Decrypt(salt, userXCP[:n], 0); !errors.Is(err, token.ErrInvalid) {
			t.Errorf("Decrypt(%q) = %v, %v, want ErrInvalid", userXCP[:n], got, err)
		}
	}
	if got, err := tokens.Verify(salt, fortyTwoXCP, 0); !errors.Is(err, token.ErrInvalid) {
		t.Errorf("Verify(%q) = %v, %v, want ErrInvalid", fortyTwoXCP, got, err)
	}
	if got, err := tokens.Decrypt(salt, fortyTwo, 0); !errors.Is(err, token.ErrInvalid) {
		t.Errorf("Decrypt(%q) = %v, %v, want ErrInvalid", fortyTwo, got, err)
	}
}

func TestOtherSecretOrSalt(t *testing.T) {
	other, err := token.New(strings.ToUpper(secret), after(0))
	if err != nil {
		t.Fatal(err)
	}
	same := newTokens(t, after(0))
	for _, tok := range []string{fortyTwo, fortyTwo384, fortyTwo512, fortyTwoXCP} {
		if got, err := open(other, salt, tok, 0); got != nil || err != token.ErrInvalid {
			t.Errorf("%q with another secret = %v, %v, want ErrInvalid", tok, got, err)
		}
		if got, err := open(same, "other", tok, 0); got != nil || err != token.ErrInvalid {
			t.Errorf("%q with another salt = %v, %v, want ErrInvalid", tok, got, err)
		}
	}
}

func TestRoundTrip(t *testing.T) {
	tokens := newTokens(t, token.Config{})
	for _, want := range []any{
		nil, true, int64(-1), 2.5, "user:7", token.Atom("admin"),
		[]any{int64(1), "two"}, token.Tuple{token.Atom("user"), int64(7)}, map[string]any{"id": int64(7), "roles": []any{}},
	} {
		signed, err := tokens.Sign(salt, want)
		if err != nil {
			t.Fatalf("Sign(%v) = %v", want, err)
		}
		if got, err := tokens.Verify(salt, signed, 0); !reflect.DeepEqual(got, want) || err != nil {
			t.Errorf("Verify(Sign(%v)) = %v, %v", want, got, err)
		}
		hidden, err := tokens.Encrypt(salt, want)
		if err != nil {
			t.Fatalf("Encrypt(%v) = %v", want, err)
		}
		if got, err := tokens.Decrypt(salt, hidden, time.Minute); !reflect.DeepEqual(got, want) || err != nil {
			t.Errorf("Decrypt(Encrypt(%v)) = %v, %v", want, got, err)
		}
	}
}

// TestLongest signs the longest text that fits, and one byte more.
func TestLongest(t *testing.T) {
	tokens := newTokens(t, token.Config{})
	const around = 1 + 2 + 5 + 9 + 5 // version, tuple, binary, 6-byte integer, 4-byte integer
	text := strings.Repeat("x", token.MaxTerm-around)
	for _, seal := range []func(salt string, data any) (string, error){tokens.Sign, tokens.Encrypt} {
		longest, err := seal(salt, text)
		if err != nil {
			t.Fatalf("%d bytes: %v", len(text), err)
		}
		if got, err := open(tokens, salt, longest, 0); got != text || err != nil {
			t.Errorf("%d bytes come back as %.20v, %v", len(text), got, err)
		}
		if _, err := seal(salt, text+"x"); !errors.Is(err, token.ErrTerm) {
			t.Errorf("%d bytes: %v, want ErrTerm", len(text)+1, err)
		}
	}
}

func TestEncryptNeverRepeats(t *testing.T) {
	tokens := newTokens(t, after(0))
	a, errA := tokens.Encrypt(salt, 42)
	b, errB := tokens.Encrypt(salt, 42)
	if a == b || errA != nil || errB != nil {
		t.Errorf("Encrypt(42) twice = %q, %v and %q, %v, want two tokens", a, errA, b, errB)
	}
}

func TestMaxAge(t *testing.T) {
	for _, tt := range []struct{ maxAge, lasts time.Duration }{
		{0, 24 * time.Hour},
		{time.Minute, time.Minute},
		{1500 * time.Millisecond, 1500 * time.Millisecond},
		{token.Forever - 1, 100 * 365 * 24 * time.Hour},
		{token.Forever, 200 * 365 * 24 * time.Hour},
	} {
		c := after(0)
		c.MaxAge = tt.maxAge
		tok, err := newTokens(t, c).Sign(salt, "u")
		if err != nil {
			t.Fatal(err)
		}
		if got, err := newTokens(t, after(tt.lasts)).Verify(salt, tok, 0); got != "u" || err != nil {
			t.Errorf("MaxAge %v after %v: %v, %v, want it to be good", tt.maxAge, tt.lasts, got, err)
		}
		late := after(tt.lasts + time.Millisecond)
		if got, err := newTokens(t, late).Verify(salt, tok, 0); err != token.ErrExpired && tt.maxAge < token.Forever-1 {
			t.Errorf("MaxAge %v later than %v: %v, %v, want ErrExpired", tt.maxAge, tt.lasts, got, err)
		}
	}
}

// Data comes back as what is asked for, if it is that, and signed numbers as any
// type that can hold them.
func TestVerifyAs(t *testing.T) {
	type userID uint32
	tokens := newTokens(t, token.Config{})
	sign := func(data any) string {
		tok, err := tokens.Sign(salt, data)
		if err != nil {
			t.Fatal(err)
		}
		return tok
	}
	if got, err := token.VerifyAs[int](tokens, salt, sign(7), 0); got != 7 || err != nil {
		t.Errorf("VerifyAs[int] of 7 = %v, %v", got, err)
	}
	if got, err := token.VerifyAs[userID](tokens, salt, sign(7), 0); got != 7 || err != nil {
		t.Errorf("VerifyAs[userID] of 7 = %v, %v", got, err)
	}
	if got, err := token.VerifyAs[string](tokens, salt, sign("u"), 0); got != "u" || err != nil {
		t.Errorf("VerifyAs[string] of u = %q, %v", got, err)
	}
	if got, err := token.VerifyAs[map[string]any](tokens, salt, sign(map[string]any{"id": 7}), 0); got["id"] != int64(7) || err != nil {
		t.Errorf("VerifyAs[map] = %v, %v", got, err)
	}
	if got, err := token.VerifyAs[any](tokens, salt, sign(nil), 0); got != nil || err != nil {
		t.Errorf("VerifyAs[any] of nil = %v, %v", got, err)
	}
	if got, err := token.VerifyAs[int8](tokens, salt, sign(300), 0); got != 0 || !errors.Is(err, token.ErrType) || !errors.Is(err, token.ErrInvalid) {
		t.Errorf("VerifyAs[int8] of 300 = %v, %v, want ErrType and ErrInvalid", got, err)
	}
	if got, err := token.VerifyAs[int](tokens, salt, sign("7"), 0); got != 0 || !errors.Is(err, token.ErrType) {
		t.Errorf("VerifyAs[int] of a string = %v, %v, want ErrType", got, err)
	}
	if _, err := token.VerifyAs[int](tokens, salt, sign(7)+"x", 0); err != token.ErrInvalid {
		t.Errorf("VerifyAs of a forged token: %v, want ErrInvalid", err)
	}
	sealed, err := tokens.Encrypt(salt, 7)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := token.DecryptAs[int](tokens, salt, sealed, 0); got != 7 || err != nil {
		t.Errorf("DecryptAs[int] of 7 = %v, %v", got, err)
	}
}

func TestNewErrors(t *testing.T) {
	for _, tt := range []struct {
		secret string
		c      token.Config
		want   string
	}{
		{"", token.Config{}, "the secret has 0 bytes"},
		{secret[:19], token.Config{}, "the secret has 19 bytes"},
		{secret[:20], token.Config{}, ""},
		{secret, token.Config{MaxAge: -1}, "MaxAge"},
	} {
		tokens, err := token.New(tt.secret, tt.c)
		if (tokens == nil) != (tt.want != "") || !strings.Contains(fmt.Sprint(err), tt.want) {
			t.Errorf("New(%q, %+v) = %v, want %q", tt.secret, tt.c, err, tt.want)
		}
	}
}

// TestManySalts has many goroutines use more salts than keys are remembered.
func TestManySalts(t *testing.T) {
	tokens := newTokens(t, token.Config{})
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for i := range token.MaxKeys + 20 {
				salt := fmt.Sprint(i)
				tok, err := tokens.Sign(salt, i)
				if err != nil {
					t.Error(err)
					return
				}
				if got, err := tokens.Verify(salt, tok, 0); got != int64(i) || err != nil {
					t.Errorf("Verify(%q) = %v, %v, want %d", salt, got, err, i)
				}
			}
		})
	}
	all.Wait()
	if got := tokens.Keys(); got == 0 || got > token.MaxKeys {
		t.Errorf("%d keys remembered, want 1 to %d", got, token.MaxKeys)
	}
}

func BenchmarkVerify(b *testing.B) {
	tokens := newTokens(b, after(0))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := tokens.Verify(salt, fortyTwo, 0); err != nil {
			b.Fatal(err)
		}
	}
}
