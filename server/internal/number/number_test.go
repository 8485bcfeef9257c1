package number_test

import (
	"math"
	"reflect"
	"testing"
	"time"

	"github.com/roost-rt/roost/server/internal/number"
)

// as is As with the type erased.
func as[T any](v any) (any, error) { return number.As[T](v) }

type id uint32

func TestAs(t *testing.T) {
	for _, tt := range []struct {
		as   func(any) (any, error)
		v    any
		want any // nil is an error
	}{
		{as[int], int64(7), 7},
		{as[int], 7, 7},
		{as[int64], uint8(200), int64(200)},
		{as[int], 7.0, 7},
		{as[float64], int64(7), 7.0},
		{as[float32], 0.5, float32(0.5)},
		{as[id], int64(7), id(7)},
		{as[time.Duration], int64(7), 7 * time.Nanosecond},
		{as[int64], id(7), int64(7)},
		{as[uint64], uint64(math.MaxUint64), uint64(math.MaxUint64)},
		{as[int64], -9223372036854775808.0, int64(math.MinInt64)},
		{as[float64], math.Inf(1), math.Inf(1)},
		{as[string], "7", "7"},
		{as[any], int64(7), int64(7)},

		{as[int8], int64(128), nil},
		{as[int8], int64(-129), nil},
		{as[uint], int64(-1), nil},
		{as[uint16], 65536, nil},
		{as[int], 7.5, nil},
		{as[int64], 9223372036854775808.0, nil},
		{as[uint64], 18446744073709551616.0, nil},
		{as[int64], uint64(math.MaxInt64 + 1), nil},
		{as[float64], int64(math.MaxInt64), nil},
		{as[float64], int64(1<<53 + 1), nil},
		{as[float32], 0.1, nil},
		{as[float32], 1e300, nil},
		{as[int], math.NaN(), nil},
		{as[int], math.Inf(-1), nil},
		{as[int], "7", nil},
		{as[string], 7, nil},
		{as[int], true, nil},
		{as[int], nil, nil},
		{as[*int], nil, nil},
		{as[*int], int64(7), nil},
	} {
		got, err := tt.as(tt.v)
		switch {
		case tt.want == nil && err == nil:
			t.Errorf("As(%T %v) = %T %v, want an error", tt.v, tt.v, got, got)
		case tt.want == nil && got != nil && !reflect.ValueOf(got).IsZero():
			t.Errorf("As(%T %v) = %T %v with its error, want zero", tt.v, tt.v, got, got)
		case tt.want != nil && (err != nil || got != tt.want):
			t.Errorf("As(%T %v) = %T %v, %v, want %T %v", tt.v, tt.v, got, got, err, tt.want, tt.want)
		}
	}
}

func TestNilInterface(t *testing.T) {
	if got, err := number.As[any](nil); got != nil || err != nil {
		t.Errorf("As[any](nil) = %v, %v, want nil", got, err)
	}
}

func TestErrors(t *testing.T) {
	for _, tt := range []struct {
		as   func(any) (any, error)
		v    any
		want string
	}{
		{as[int], "secret", "string is no int"},
		{as[string], int64(7), "int64 is no string"},
		{as[int8], int64(300), "int64 holds a number that int8 cannot"},
	} {
		if _, err := tt.as(tt.v); err == nil || err.Error() != tt.want {
			t.Errorf("As(%T) = %v, want %q", tt.v, err, tt.want)
		}
	}
}
