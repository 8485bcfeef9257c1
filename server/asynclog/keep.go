package asynclog

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/roost-rt/roost/server/internal/panics"
)

const (
	maxText  = 512      // bytes of a text
	maxStack = 16 << 10 // bytes of a stack, and of JSON

	// overhead is about what a record takes in bytes without its texts, and an
	// attribute.
	recordOverhead, attrOverhead = 256, 48
)

// keep returns a copy of a record that stays as it is when its values change later, and
// the size in bytes.
func keep(r slog.Record) (slog.Record, int) {
	kept := slog.NewRecord(r.Time, r.Level, cut(r.Message, maxText), r.PC)
	size := recordOverhead + len(kept.Message)
	attrs := make([]slog.Attr, 0, r.NumAttrs())
	r.Attrs(func(a slog.Attr) bool {
		a, n := keepAttr(a)
		attrs, size = append(attrs, a), size+n
		return true
	})
	kept.AddAttrs(attrs...)
	return kept, size
}

func keepAll(attrs []slog.Attr) (kept []slog.Attr, size int) {
	kept = make([]slog.Attr, len(attrs))
	for i, a := range attrs {
		var n int
		kept[i], n = keepAttr(a)
		size += n
	}
	return kept, size
}

func keepAttr(a slog.Attr) (_ slog.Attr, size int) {
	limit := maxText
	if a.Key == "stack" {
		limit = maxStack
	}
	a.Key = cut(a.Key, maxText)
	switch a.Value = a.Value.Resolve(); a.Value.Kind() {
	case slog.KindGroup:
		var group []slog.Attr
		group, size = keepAll(a.Value.Group())
		a.Value = slog.GroupValue(group...)
	case slog.KindString:
		text := cut(a.Value.String(), limit)
		a.Value, size = slog.StringValue(text), len(text)
	case slog.KindAny:
		a.Value, size = keepAny(a.Value.Any(), limit)
	}
	return a, attrOverhead + len(a.Key) + size
}

// keepAny keeps a value of a type that slog does not know.
func keepAny(v any, limit int) (_ slog.Value, size int) {
	switch v := v.(type) {
	case nil:
		return slog.AnyValue(nil), 0
	case error:
		text := cut(panics.Text("%v", v), limit)
		return slog.AnyValue(errors.New(text)), len(text)
	case json.RawMessage:
		if len(v) > maxStack {
			v = strconv.AppendQuote(nil, fmt.Sprintf("JSON of %d bytes", len(v)))
		}
		return slog.AnyValue(slices.Clone(v)), len(v)
	case []byte:
		text := cut(string(v[:min(len(v), limit+1)]), limit)
		return slog.StringValue(text), len(text)
	}
	if k := reflect.TypeOf(v).Kind(); k >= reflect.Bool && k <= reflect.Complex128 {
		return slog.AnyValue(v), 0 // a copy already
	}
	text := cut(panics.Text("%+v", v), limit)
	return slog.StringValue(text), len(text)
}

// cut is a copy of a text, or of its beginning and an ellipsis, in UTF-8.
func cut(text string, limit int) string {
	if len(text) <= limit {
		return strings.Clone(strings.ToValidUTF8(text, "?"))
	}
	const ellipsis = "…"
	end := limit - len(ellipsis)
	for range utf8.UTFMax - 1 {
		if utf8.RuneStart(text[end]) {
			break
		}
		end--
	}
	return strings.ToValidUTF8(text[:end], "?") + ellipsis
}
