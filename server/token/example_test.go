package token_test

import (
	"errors"
	"fmt"
	"time"

	"github.com/roost-rt/roost/server/token"
)

// The page that a user gets after login carries a token; the socket's Connect
// takes it back from the client.
func Example() {
	tokens, err := token.New("of 48 random bytes from the environment, not the source", token.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	page, err := tokens.Sign("user socket", 42)
	if err != nil {
		fmt.Println(err)
		return
	}

	user, err := token.VerifyAs[int](tokens, "user socket", page, 14*24*time.Hour)
	fmt.Println(user, err)

	_, err = tokens.Verify("password reset", page, time.Hour)
	fmt.Println(errors.Is(err, token.ErrInvalid))
	// Output:
	// 42 <nil>
	// true
}
