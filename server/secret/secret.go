// Package secret tells by a name whether its value is secret: of a parameter, a
// header, a key of JSON.
//
// It is pure.
package secret

import "strings"

// Terms are parts of the names of secrets, in lower case. The hotpot is among them,
// too: a name too many does no harm. They are not to be changed.
var Terms = []string{"passw", "secret", "token", "_key", "apikey", "api-key", "authorization", "cookie", "otp", "ssn", "cvv"}

// Named reports whether a name contains one of Terms. Case does not matter.
func Named(name string) bool {
	name = strings.ToLower(name)
	for _, term := range Terms {
		if strings.Contains(name, term) {
			return true
		}
	}
	return false
}
