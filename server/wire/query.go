package wire

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"unicode/utf8"
)

// ErrQuery: a query string that [ParseQuery] cannot decode. The caller should
// answer the request with status 400.
var ErrQuery = errors.New("wire: malformed query")

// Limits on a query string, far above what connecting takes. They keep a
// hostile one from costing more than its bytes.
const (
	maxQueryPairs = 1000
	maxQueryDepth = 32 // keys in a path such as a[b][c], which has three
)

// ParseQuery decodes the query of a connect request into nested parameters, as
// the official client encodes them (spec §1.2). Values are strings, and
//
//	a[b]=1         makes a map    {"a": {"b": "1"}}
//	a[0]=x&a[1]=y  makes a map    {"a": {"0": "x", "1": "y"}}
//	a[]=x&a[]=y    makes a []any  {"a": ["x", "y"]}
//
// Of equal keys the last wins, also when one is a string and the other a map.
// Empty pairs, as in "a=1&&b=2", are skipped. Errors wrap ErrQuery.
func ParseQuery(raw string) (map[string]any, error) {
	if n := strings.Count(raw, "&"); n >= maxQueryPairs {
		return nil, fmt.Errorf("%w: %d pairs, at most %d are allowed", ErrQuery, n+1, maxQueryPairs)
	}
	params := make(map[string]any)
	for pair := range strings.SplitSeq(raw, "&") {
		if pair == "" {
			continue
		}
		key, value, _ := strings.Cut(pair, "=")
		key, err := unescapeQuery(key)
		if err != nil {
			return nil, err
		}
		value, err = unescapeQuery(value)
		if err != nil {
			return nil, err
		}
		path := queryPath(key)
		if len(path) > maxQueryDepth {
			return nil, fmt.Errorf("%w: %d levels of brackets, at most %d are allowed", ErrQuery, len(path)-1, maxQueryDepth-1)
		}
		assign(params, path, value)
	}
	return params, nil
}

func unescapeQuery(s string) (string, error) {
	s, err := url.QueryUnescape(s)
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrQuery, err)
	}
	if !utf8.ValidString(s) {
		return "", fmt.Errorf("%w: invalid UTF-8", ErrQuery)
	}
	return s, nil
}

// queryPath splits a[b][c] into a, b and c. Brackets that do not pair up like
// that belong to the name.
func queryPath(key string) []string {
	inner, ok := strings.CutSuffix(key, "]")
	if !ok {
		return []string{key}
	}
	name, inner, ok := strings.Cut(inner, "[")
	if !ok {
		return []string{key}
	}
	return append([]string{name}, strings.Split(inner, "][")...)
}

// assign stores value in params under path, making maps and lists on the way.
// What is there already and is of another kind gives way: the last pair wins.
func assign(params map[string]any, path []string, value string) {
	key, path := path[0], path[1:]
	switch {
	case len(path) == 0:
		params[key] = value
	case path[0] == "":
		list, _ := params[key].([]any)
		params[key] = append(list, element(path[1:], value))
	default:
		child, ok := params[key].(map[string]any)
		if !ok {
			child = make(map[string]any)
			params[key] = child
		}
		assign(child, path, value)
	}
}

// element returns a list's new element: a map if the path goes on after [].
func element(path []string, value string) any {
	if len(path) == 0 {
		return value
	}
	child := make(map[string]any)
	assign(child, path, value)
	return child
}
