package order_test

import (
	"reflect"
	"testing"

	"github.com/roost-rt/roost/loadtest/order"
)

// Whatever one process counts is in the sum, also what will be counted one day.
func TestCountsAddAll(t *testing.T) {
	var one order.Counts
	fields := reflect.ValueOf(&one).Elem()
	for i := range fields.NumField() {
		if f := fields.Field(i); f.CanInt() {
			f.SetInt(int64(i + 1))
		}
	}
	one.Fault("refused", 3)
	sum := one.Clone()
	sum.Add(one)
	fields = reflect.ValueOf(sum)
	for i := range fields.NumField() {
		if f := fields.Field(i); f.CanInt() && f.Int() != int64(2*(i+1)) {
			t.Errorf("%s = %d, want %d", fields.Type().Field(i).Name, f.Int(), 2*(i+1))
		}
	}
	if sum.Errors["refused"] != 6 || one.Errors["refused"] != 3 {
		t.Errorf("errors %v of the sum and %v of one, want 6 and 3: a clone shares nothing", sum.Errors, one.Errors)
	}
}

func TestCountsPresent(t *testing.T) {
	c := order.Counts{Joined: 10, Left: 4, Returned: 3}
	if got := c.Present(); got != 9 {
		t.Errorf("Present() = %d, want 9", got)
	}
}
