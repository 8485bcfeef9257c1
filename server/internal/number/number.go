// Package number converts numbers from one kind of Go's to another, if the other
// can hold just that number.
package number

import (
	"fmt"
	"math"
	"math/big"
	"reflect"
)

// As returns v as a T. A number becomes one of T's kind, also where T is a named type,
// if that loses nothing; any other value must be a T already. The error names the types,
// but not the value.
func As[T any](v any) (t T, err error) {
	if t, ok := v.(T); ok {
		return t, nil
	}
	into := reflect.ValueOf(&t).Elem()
	n, ok := exact(reflect.ValueOf(v))
	switch {
	case v == nil && into.Kind() == reflect.Interface:
		return t, nil
	case !ok || !isNumber(into):
		return t, fmt.Errorf("%T is no %v", v, into.Type())
	case !set(into, n):
		return *new(T), fmt.Errorf("%T holds a number that %v cannot", v, into.Type())
	}
	return t, nil
}

func isNumber(v reflect.Value) bool { return v.CanInt() || v.CanUint() || v.CanFloat() }

// exact is a number with all of its digits.
func exact(v reflect.Value) (n *big.Float, ok bool) {
	switch n = new(big.Float); {
	case !v.IsValid():
		return nil, false
	case v.CanInt():
		return n.SetInt64(v.Int()), true
	case v.CanUint():
		return n.SetUint64(v.Uint()), true
	case v.CanFloat() && !math.IsNaN(v.Float()):
		return n.SetFloat64(v.Float()), true
	}
	return nil, false
}

// set reports whether v can hold n, and has it do so.
func set(v reflect.Value, n *big.Float) bool {
	switch {
	case v.CanInt():
		i, accuracy := n.Int64()
		if accuracy != big.Exact || v.OverflowInt(i) {
			return false
		}
		v.SetInt(i)
	case v.CanUint():
		u, accuracy := n.Uint64()
		if accuracy != big.Exact || v.OverflowUint(u) {
			return false
		}
		v.SetUint(u)
	default:
		f, accuracy := n.Float64()
		if accuracy != big.Exact || v.Kind() == reflect.Float32 && float64(float32(f)) != f {
			return false
		}
		v.SetFloat(f)
	}
	return true
}
