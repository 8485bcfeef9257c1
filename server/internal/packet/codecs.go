package packet

import (
	"log/slog"
	"reflect"

	"github.com/roost-rt/roost/server/wire"
)

// Codecs holds the codecs of an endpoint, one for all sockets that need the same. It is
// not for several goroutines.
type Codecs map[key]*Codec

// A key tells codecs apart.
type key struct {
	serializer any // what cannot be compared is known by its type
	form       Form
	deflate    Deflate // of the form Deflated
}

// Foreign returns the codecs whose serializers are the application's.
func (all Codecs) Foreign() (foreign []*Codec) {
	for _, c := range all {
		if c.foreign {
			foreign = append(foreign, c)
		}
	}
	return foreign
}

// Get returns the codec that New would make.
func (all Codecs) Get(log *slog.Logger, s wire.Serializer, f Form, deflate Deflate) *Codec {
	k := key{serializer: s, form: f}
	if s != nil && !reflect.TypeOf(s).Comparable() {
		k.serializer = reflect.TypeOf(s)
	}
	if f == Deflated {
		k.deflate = deflate
	}
	if all[k] == nil {
		all[k] = New(log, s, f, deflate)
	}
	return all[k]
}
