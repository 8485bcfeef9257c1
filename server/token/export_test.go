package token

const (
	MaxKeys  = maxKeys
	MaxDepth = maxDepth
	MaxTerm  = maxTerm
)

func Encode(term any) ([]byte, error) { return encode(term) }
func Decode(data []byte) (any, error) { return decode(data) }

// Keys is how many keys t remembers.
func (t *Tokens) Keys() int { return len(t.keys.bySalt) }

// Key is the key for a salt.
func (t *Tokens) Key(salt string) ([]byte, error) { return t.keys.key(salt) }

// SignTerm signs a term that need not be what a token carries.
func (t *Tokens) SignTerm(salt string, term any) (string, error) {
	data, err := encode(term)
	if err != nil {
		return "", err
	}
	key, err := t.keys.key(salt)
	if err != nil {
		return "", err
	}
	return sign(key, data)
}
