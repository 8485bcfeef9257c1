package secret_test

import (
	"testing"

	"github.com/roost-rt/roost/server/secret"
)

func TestNamed(t *testing.T) {
	for name, want := range map[string]bool{
		"token": true, "userToken": true, "PASSWORD": true, "Set-Cookie": true, "Authorization": true, "x-api-key": true, "signing_key": true, "hotpot": true,
		"": false, "key": false, "vsn": false, "user": false, "monkey": false,
	} {
		if got := secret.Named(name); got != want {
			t.Errorf("Named(%q) = %v, want %v", name, got, want)
		}
	}
}
