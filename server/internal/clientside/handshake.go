package clientside

import (
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"reflect"
	"strings"
)

// A Handshake opens a socket (spec §1.1 to §1.5).
type Handshake struct {
	URL          string         // of the mount, http or https
	Params       map[string]any // nested ones and lists, too (spec §1.2)
	Version      string         // the vsn parameter
	AuthToken    string         // the authToken option of the official client; empty means none
	Subprotocols []string       // further offers
	Header       http.Header    // further fields; Host replaces the URL's
	Key          string         // Sec-WebSocket-Key, 16 bytes in base64
}

// Request is the request for an upgrade.
func (h Handshake) Request() (*http.Request, error) {
	mount, err := url.Parse(h.URL)
	if err != nil {
		return nil, err
	}
	query := mount.Query()
	for name, value := range h.Params {
		addParam(query, name, reflect.ValueOf(value))
	}
	query.Set("vsn", h.Version)
	mount = mount.JoinPath("websocket")
	mount.RawQuery = query.Encode()
	r, err := http.NewRequest(http.MethodGet, mount.String(), nil)
	if err != nil {
		return nil, err
	}
	maps.Copy(r.Header, h.Header)
	if host := h.Header.Get("Host"); host != "" {
		r.Host = host
	}
	r.Header.Set("Connection", "Upgrade")
	r.Header.Set("Upgrade", "websocket")
	r.Header.Set("Sec-WebSocket-Version", "13")
	r.Header.Set("Sec-WebSocket-Key", h.Key)
	if offers := h.offers(); len(offers) > 0 {
		r.Header.Set("Sec-WebSocket-Protocol", strings.Join(offers, ", "))
	}
	return r, nil
}

// offers are the subprotocols in the request. The token is in the standard
// alphabet, whatever its prefix says.
func (h Handshake) offers() []string {
	if h.AuthToken == "" {
		return h.Subprotocols
	}
	token := "base64url.bearer.phx." + base64.RawStdEncoding.EncodeToString([]byte(h.AuthToken))
	return append([]string{"phoenix", token}, h.Subprotocols...)
}

// Check refuses the answers with status 101 that browsers refuse.
func (h Handshake) Check(answer http.Header) error {
	if got, want := answer.Get("Sec-WebSocket-Accept"), accept(h.Key); got != want {
		return fmt.Errorf("Sec-WebSocket-Accept is %q, want %q", got, want)
	}
	if len(h.offers()) > 0 && answer.Get("Sec-WebSocket-Protocol") == "" {
		return errors.New("the server chose no subprotocol, so a browser would not connect: does the mount have AuthToken or Subprotocols?")
	}
	return nil
}

// accept returns the answer to a key (RFC 6455 §4.2.2).
func accept(key string) string {
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// addParam adds a parameter as the official client does: nested ones have
// brackets, list items have indexes (spec §1.2).
func addParam(query url.Values, name string, value reflect.Value) {
	for value.Kind() == reflect.Interface {
		value = value.Elem()
	}
	switch value.Kind() {
	case reflect.Invalid: // nil
	case reflect.Map:
		for key, v := range value.Seq2() {
			addParam(query, fmt.Sprintf("%s[%v]", name, key), v)
		}
	case reflect.Slice, reflect.Array:
		for i := range value.Len() {
			addParam(query, fmt.Sprintf("%s[%d]", name, i), value.Index(i))
		}
	default:
		query.Add(name, fmt.Sprint(value))
	}
}
