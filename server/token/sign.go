package token

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"hash"
	"strings"
)

// sign returns the algorithm, the term and the signature of both, each in
// base64url, with dots between (spec §10.1).
func sign(key, term []byte) (string, error) {
	signed := "SFMyNTY." + base64url.EncodeToString(term)
	return signed + "." + signature(sha256.New, key, signed), nil
}

func verify(key []byte, token string) (term []byte, ok bool) {
	dot := max(strings.LastIndexByte(token, '.'), 0)
	signed, given := token[:dot], strings.TrimPrefix(token[dot:], ".")
	algorithm, payload, _ := strings.Cut(signed, ".")
	var newHash func() hash.Hash
	switch algorithm {
	case "SFMyNTY": // HS256
		newHash = sha256.New
	case "SFMzODQ": // HS384
		newHash = sha512.New384
	case "SFM1MTI": // HS512
		newHash = sha512.New
	default:
		return nil, false
	}
	if !hmac.Equal([]byte(given), []byte(signature(newHash, key, signed))) {
		return nil, false
	}
	term, err := base64url.DecodeString(payload)
	return term, err == nil
}

func signature(newHash func() hash.Hash, key []byte, signed string) string {
	mac := hmac.New(newHash, key)
	mac.Write([]byte(signed))
	return base64url.EncodeToString(mac.Sum(nil))
}
