package phx_test

import (
	"bytes"
	"testing"

	"github.com/roost-rt/roost/server/phx"
)

// parcels are good ones: a POST of lines, the middle of an answer, and a poll.
var parcels = []string{
	"\x02\x01\x00\x00\x00\x00\x00\x00\x00\x2a\x07\x00\x00\x03\x00\x03one\x02id[1]",
	"\x06\x00\x01\x02\x03\x04\x05\x06\x07\x08\x80\x01\x00\xc8\x01\x05\x02\x03two\x02idab",
	"\x01\x00\x00\x00\x00\x00\x00\x00\x00\x01\x09\x08\x00\x00\x00\x03one\x02id",
}

func TestParcels(t *testing.T) {
	for _, p := range parcels {
		if got, err := phx.Reparcel([]byte(p)); err != nil || string(got) != p {
			t.Errorf("%q becomes %q, %v", p, got, err)
		}
		for n := range len(p) {
			if got, err := phx.Reparcel([]byte(p[:n])); err == nil && !bytes.HasPrefix(got, []byte(p[:n])) {
				t.Errorf("a piece of it, %q, becomes %q", p[:n], got)
			}
		}
	}
	for what, p := range map[string]string{
		"no such kind":        "\x08" + parcels[0][1:],
		"no kind":             "\x00" + parcels[0][1:],
		"an unknown flag":     parcels[0][:1] + "\x02" + parcels[0][2:],
		"more than its size":  parcels[0] + "x",
		"a size beyond all":   parcels[2][:13] + "\xff\xff\xff\xff\x7f" + parcels[2][14:],
		"a name that is long": parcels[2][:15] + "\x7f" + parcels[2][16:],
	} {
		if got, err := phx.Reparcel([]byte(p)); err == nil {
			t.Errorf("%s: %q is taken for %q", what, p, got)
		}
	}
}

// Whatever comes from other nodes is a parcel or refused.
func FuzzParcel(f *testing.F) {
	for _, p := range parcels {
		f.Add([]byte(p))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		once, err := phx.Reparcel(b)
		if err != nil {
			return
		}
		if twice, err := phx.Reparcel(once); err != nil || !bytes.Equal(once, twice) {
			t.Errorf("%q becomes %q, then %q, %v", b, once, twice, err)
		}
	})
}
