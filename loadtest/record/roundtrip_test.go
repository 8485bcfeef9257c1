package record_test

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"github.com/roost-rt/roost/loadtest/record"
)

// fill gives each field of v a value that is not zero, as far as JSON has one.
func fill(random *rand.Rand, v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(random, v.Elem())
	case reflect.Struct:
		for i := range v.NumField() {
			fill(random, v.Field(i))
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range v.Len() {
			fill(random, v.Index(i))
		}
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		value := reflect.New(v.Type().Elem()).Elem()
		if value.Kind() == reflect.Interface {
			value.Set(reflect.ValueOf(random.Float64()))
		} else {
			fill(random, value)
		}
		v.SetMapIndex(reflect.ValueOf("a <key> \"of\" ü"), value)
	case reflect.String:
		v.SetString([]string{"text", "two\nlines", `"quoted" <&>`, "ü\u2028"}[random.IntN(4)])
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Float64:
		v.SetFloat(1 + random.Float64())
	case reflect.Int64, reflect.Int:
		v.SetInt(1 + random.Int64N(1<<53))
	case reflect.Uint8:
		v.SetUint(uint64(random.IntN(256)))
	}
}

// Whatever is recorded is read back as it was, each kind and each field of it.
func TestRecordsAreReadBack(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(41, 42))
	kinds := reflect.TypeFor[record.Record]()
	var written []record.Record
	for range 20 {
		for i := range kinds.NumField() {
			var r record.Record
			fill(random, reflect.ValueOf(&r).Elem().Field(i))
			written = append(written, r)
		}
	}
	var file bytes.Buffer
	w := record.NewWriter(&file)
	for _, r := range written {
		if err := w.Write(r); err != nil {
			t.Fatal(err)
		}
	}
	if n := strings.Count(file.String(), "\n"); n != len(written) {
		t.Fatalf("%d records are %d lines", len(written), n)
	}
	var read []record.Record
	if err := record.Read(&file, func(r record.Record) error { read = append(read, r); return nil }); err != nil {
		t.Fatal(err)
	}
	if len(read) != len(written) {
		t.Fatalf("%d records are read of %d", len(read), len(written))
	}
	for i := range read {
		if !reflect.DeepEqual(read[i], written[i]) {
			t.Fatalf("record %d is read as\n%+v, and was\n%+v", i, read[i], written[i])
		}
	}
}

// A record that a newer program wrote is passed over, field by field and as a whole.
func TestRecordsOfANewerProgram(t *testing.T) {
	t.Parallel()
	n := 0
	err := record.Read(strings.NewReader(`{"tick":{"at_ms":7,"mood":"good"}}
{"weather":{"rain":true}}
`), func(r record.Record) error {
		if n++; n == 1 && (r.Tick == nil || r.Tick.AtMs != 7) || n == 2 && !reflect.ValueOf(r).IsZero() {
			t.Errorf("record %d is %+v", n, r)
		}
		return nil
	})
	if err != nil || n != 2 {
		t.Errorf("%d records, %v, want both", n, err)
	}
}

// Who reads may stop, and is told where.
func TestReaderMayStop(t *testing.T) {
	t.Parallel()
	enough := errors.New("enough")
	err := record.Read(strings.NewReader("{}\n{}\n{}\n"), func() func(record.Record) error {
		n := 0
		return func(record.Record) error {
			if n++; n == 2 {
				return enough
			}
			return nil
		}
	}())
	if !errors.Is(err, enough) || !strings.Contains(err.Error(), "record 2") {
		t.Errorf("Read() = %v, want what the reader said, with the number of the record", err)
	}
}
