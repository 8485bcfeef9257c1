package token

import (
	"crypto/pbkdf2"
	"crypto/sha256"
	"fmt"
	"sync"
)

const (
	iterations = 1000 // spec §10.1
	keySize    = 32
	maxKeys    = 64 // remembered; salts are meant to be a few constants
)

// A keyring derives the key for each salt, and remembers it, because deriving
// takes a good part of a millisecond.
type keyring struct {
	secret string // immutable

	mu     sync.RWMutex // not held while a key is derived
	bySalt map[string][]byte
}

func (k *keyring) key(salt string) ([]byte, error) {
	k.mu.RLock()
	key, ok := k.bySalt[salt]
	k.mu.RUnlock()
	if ok {
		return key, nil
	}
	key, err := pbkdf2.Key(sha256.New, k.secret, []byte(salt), iterations, keySize)
	if err != nil { // Go's FIPS 140-only mode wants longer salts
		return nil, fmt.Errorf("token: key for salt %q: %w", salt, err)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.bySalt == nil || len(k.bySalt) >= maxKeys {
		k.bySalt = make(map[string][]byte) // start over: the salts in use come back
	}
	k.bySalt[salt] = key
	return key, nil
}
