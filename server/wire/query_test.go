package wire_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/roost-rt/roost/server/wire"
)

func TestParseQuery(t *testing.T) {
	type m = map[string]any
	type l = []any
	tests := []struct {
		raw  string
		want m
	}{
		// Appendix B: {a:{b:1},t:["x","y"],u:null,token:"T"} from the official client.
		{"a%5Bb%5D=1&t%5B0%5D=x&t%5B1%5D=y&&token=T&vsn=2.0.0", m{"a": m{"b": "1"}, "t": m{"0": "x", "1": "y"}, "token": "T", "vsn": "2.0.0"}},

		{"", m{}},
		{"&&", m{}},
		{"a=1&", m{"a": "1"}},
		{"a", m{"a": ""}},
		{"a=", m{"a": ""}},
		{"=1", m{"": "1"}},
		{"a=b=c", m{"a": "b=c"}},
		{"a=1;b=2", m{"a": "1;b=2"}},
		{"a+b=c+d%2B%26", m{"a b": "c d+&"}},
		{"%C3%A9=%F0%9F%98%80", m{"é": "😀"}},

		// The last one wins.
		{"a=1&a=2", m{"a": "2"}},
		{"a=1&a[b]=2", m{"a": m{"b": "2"}}},
		{"a[b]=2&a=1", m{"a": "1"}},
		{"a[]=1&a[b]=2", m{"a": m{"b": "2"}}},
		{"a[b]=1&a[]=2", m{"a": l{"2"}}},
		{"a[b]=1&a[b]=2", m{"a": m{"b": "2"}}},
		{"vsn[]=2.0.0", m{"vsn": l{"2.0.0"}}},

		{"a[b][c]=1&a[b][d]=2&a[e]=3", m{"a": m{"b": m{"c": "1", "d": "2"}, "e": "3"}}},
		{"a[]=1&a[]=2", m{"a": l{"1", "2"}}},
		{"a[b][]=1&a[b][]=2", m{"a": m{"b": l{"1", "2"}}}},
		{"a[][b]=1&a[][b]=2", m{"a": l{m{"b": "1"}, m{"b": "2"}}}},

		// Stray brackets are part of the name.
		{"a[b=1", m{"a[b": "1"}},
		{"a]=1", m{"a]": "1"}},
		{"a[b]c=1", m{"a[b]c": "1"}},
		{"[a]=1", m{"": m{"a": "1"}}},
		{"a[b[c]=1", m{"a": m{"b[c": "1"}}},
	}
	for _, tt := range tests {
		got, err := wire.ParseQuery(tt.raw)
		if err != nil || !reflect.DeepEqual(got, tt.want) {
			t.Errorf("ParseQuery(%q) = %v, %v, want %v", tt.raw, got, err, tt.want)
		}
	}
}

func TestParseQueryMalformed(t *testing.T) {
	tests := []string{
		"a=%", "a=%4", "a=%zz", "%=a", // not percent-encoded
		"a=%FF", "%C3=1", "a=\xff", // not UTF-8
	}
	for _, raw := range tests {
		if got, err := wire.ParseQuery(raw); !errors.Is(err, wire.ErrQuery) {
			t.Errorf("ParseQuery(%q) = %v, %v, want ErrQuery", raw, got, err)
		}
	}
}

func TestParseQueryLimits(t *testing.T) {
	tests := []struct {
		name     string
		at, over string
	}{
		{"pairs", strings.Repeat("a=1&", 999), strings.Repeat("a=1&", 1000)},
		{"maps", "a" + strings.Repeat("[b]", 31) + "=1", "a" + strings.Repeat("[b]", 32) + "=1"},
		{"lists", "a" + strings.Repeat("[]", 31) + "=1", "a" + strings.Repeat("[]", 32) + "=1"},
	}
	for _, tt := range tests {
		if _, err := wire.ParseQuery(tt.at); err != nil {
			t.Errorf("%s at the limit: %v", tt.name, err)
		}
		if _, err := wire.ParseQuery(tt.over); !errors.Is(err, wire.ErrQuery) {
			t.Errorf("%s over the limit: %v, want ErrQuery", tt.name, err)
		}
	}
}
