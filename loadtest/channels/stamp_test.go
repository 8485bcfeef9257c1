package channels_test

import (
	"testing"

	"github.com/roost-rt/roost/loadtest/channels"
)

func TestStampAfterAnother(t *testing.T) {
	for text, want := range map[string]channels.Stamp{
		"stamp-7-3-1000-1001-":             {Writer: 7, Seq: 3, Intended: 1000, Sent: 1001},
		"stamp-7-3a2-1000-1001-":           {Writer: 7, Seq: 3, After: 2, Intended: 1000, Sent: 1001},
		"<stamp-7-3a2-1000-1001->5-6-":     {Writer: 7, Seq: 3, After: 2, Intended: 1000, Sent: 1001},
		"stamp-7-3a2-1000 stamp-1-2-3-4-5": {Writer: 1, Seq: 2, Intended: 3, Sent: 4},
	} {
		if got, ok := channels.FindStamp([]byte(text)); !ok || got != want {
			t.Errorf("%s is %+v, %t, want %+v", text, got, ok, want)
		}
		if again, ok := channels.FindStamp(want.Append(nil)); !ok || again != want {
			t.Errorf("%+v is read as %+v, %t", want, again, ok)
		}
	}
	for _, text := range []string{"stamp-7-3a-1-2-", "stamp-7-a2-1-2-", "stamp-7a1-3-1-2-", "stamp-7-3a2a1-1-2-", "stamp-7-3-1a2-2-", "stamp-7-3", "stamp-7-3a", "stamp-7-3a2", "stamp-7-"} {
		if got, ok := channels.FindStamp([]byte(text)); ok {
			t.Errorf("%s is read as %+v", text, got)
		}
	}
}

// A number that no stamp has is none of a stamp: the application has changed it.
func TestStampsOfLargeNumbers(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"stamp-4294967295-2147483647a2147483647-9223372036854775807-9223372036854775807-": true,
		"stamp-4294967296-1-1-1-":           false,
		"stamp-1-2147483648-1-1-":           false,
		"stamp-1-3000000000-1-1-":           false,
		"stamp-1-1a2147483648-1-1-":         false,
		"stamp-1-1-9223372036854775808-1-":  false,
		"stamp-1-1-1-9999999999999999999-":  false,
		"stamp-1-1-1-00000000000000000001-": false,
	} {
		if got, ok := channels.FindStamp([]byte(text)); ok != want {
			t.Errorf("%s is read as %+v, %t, want %t", text, got, ok, want)
		}
	}
}
