package wire_test

import (
	"testing"

	"github.com/roost-rt/roost/server/wire"
)

func TestForVersion(t *testing.T) {
	tests := []struct {
		vsn  string
		want wire.Serializer // nil: refused
	}{
		{"", wire.V1{}}, // absent
		{"1.0.0", wire.V1{}},
		{"1.0.9", wire.V1{}},
		{"2.0.0", wire.V2{}},
		{"2.0.5", wire.V2{}},
		{"2.0.99999999999999999999", wire.V2{}},

		// Pre-releases match ~> 2.0.0 from 2.0.0 on.
		{"2.0.5-rc.1", wire.V2{}},
		{"2.0.1-0", wire.V2{}},
		{"2.0.1-x-y.0a", wire.V2{}},
		{"2.0.0-rc.1", nil},
		{"2.0.1-", nil},
		{"2.0.1-rc..1", nil},
		{"2.0.1-01", nil},
		{"2.0.1-é", nil},

		{"2.0.0+build.01", wire.V2{}},
		{"2.0.1-rc+b-1", wire.V2{}},
		{"2.0.0+", nil},
		{"2.0.0+a+b", nil},

		{"2", nil},
		{"2.0", nil},
		{"2.0.", nil},
		{"2.0.0-", nil},
		{"2.0.00", nil},
		{"2.0.x", nil},
		{"2.0.0.0", nil},
		{"2.1.0", nil},
		{"02.0.0", nil},
		{"v2.0.0", nil},
		{" 2.0.0", nil},
		{"2.0.0\n", nil},
		{"1.1.0", nil},
		{"3.0.0", nil},
		{"123.1.1", nil},
		{"abc", nil},
	}
	for _, tt := range tests {
		got, ok := wire.ForVersion(tt.vsn)
		if ok != (tt.want != nil) || ok && got != tt.want {
			t.Errorf("ForVersion(%q) = %T, %v, want %T", tt.vsn, got, ok, tt.want)
		}
	}
}

func TestVersion(t *testing.T) {
	for _, want := range []string{"1.0.0", "2.0.0"} {
		if s, ok := wire.ForVersion(want); !ok || s.Version() != want {
			t.Errorf("ForVersion(%q).Version() = %q", want, s.Version())
		}
	}
}
