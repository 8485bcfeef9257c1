package cluster

// Recode decodes an envelope and encodes it again.
func Recode(b []byte) ([]byte, error) {
	e, err := decode(b)
	if err != nil {
		return nil, err
	}
	return e.encode(), nil
}

var ErrInvalid = errInvalid
