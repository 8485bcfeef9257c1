package swarm

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
)

// Nonce, the key of all requests, and its answer are the example of RFC 6455 §1.3.
// A fresh one would guard against caches, and there are none here.
const (
	Nonce  = "dGhlIHNhbXBsZSBub25jZQ=="
	accept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
)

// maxHead bounds the response to the upgrade, in bytes.
const maxHead = 8 << 10

// CheckUpgrade reads the response to a request with Nonce, RFC 6455 §4.2.2. rest is
// what follows the head. It is not done while the head is not complete.
func CheckUpgrade(data []byte) (rest []byte, done bool, err error) {
	head, rest, found := bytes.Cut(data, []byte("\r\n\r\n"))
	if !found {
		if len(data) > maxHead {
			return nil, false, errors.New("upgrade: endless response")
		}
		return nil, false, nil
	}
	status, headers, _ := strings.Cut(string(head), "\r\n")
	_, code, _ := strings.Cut(status, " ")
	if !strings.HasPrefix(code, "101") {
		return nil, false, fmt.Errorf("upgrade: HTTP %.3s", code)
	}
	for line := range strings.SplitSeq(headers, "\r\n") {
		name, value, _ := strings.Cut(line, ":")
		if strings.EqualFold(name, "Sec-WebSocket-Accept") && strings.TrimSpace(value) == accept {
			return rest, true, nil
		}
	}
	return nil, false, errors.New("upgrade: wrong Sec-WebSocket-Accept")
}
