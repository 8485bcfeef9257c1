package token

import (
	"crypto/rand"
	"slices"
	"strings"

	"golang.org/x/crypto/chacha20poly1305"
)

// An encrypted token is "XCP." and base64url of nonce, tag and ciphertext, in
// this order. Checked against the source of plug_crypto 2.1.1 and tokens that
// it made: the cipher is the usual XChaCha20-Poly1305, the key the one that
// would sign, and the associated data the name of the cipher it used before.
const (
	prefix         = "XCP."
	associatedData = "A128GCM"
	nonceSize      = chacha20poly1305.NonceSizeX
	overhead       = nonceSize + chacha20poly1305.Overhead
)

func encrypt(key, term []byte) (string, error) {
	aead, err := chacha20poly1305.NewX(key)
	if err != nil {
		return "", err
	}
	nonce := make([]byte, nonceSize)
	rand.Read(nonce) // never fails
	sealed := aead.Seal(nil, nonce, term, []byte(associatedData))
	ciphertext, tag := sealed[:len(term)], sealed[len(term):]
	return prefix + base64url.EncodeToString(slices.Concat(nonce, tag, ciphertext)), nil
}

func decrypt(key []byte, token string) (term []byte, ok bool) {
	text, ok := strings.CutPrefix(token, prefix)
	if !ok || strings.ContainsAny(text, "\r\n") { // which base64 would skip
		return nil, false
	}
	box, err := base64url.DecodeString(text)
	if err != nil || len(box) < overhead {
		return nil, false
	}
	aead, err := chacha20poly1305.NewX(key)
	if err != nil {
		return nil, false
	}
	nonce, tag, ciphertext := box[:nonceSize], box[nonceSize:overhead], box[overhead:]
	term, err = aead.Open(nil, nonce, slices.Concat(ciphertext, tag), []byte(associatedData))
	return term, err == nil
}
