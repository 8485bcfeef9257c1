package rate

import (
	"testing"
	"unsafe"
)

// A rated is the part of a socket that counts what comes.
type rated struct {
	tariff Tariff
	tempo  Tempo
	meter  *Meter
	now    uint32 // ms
}

func (c *rated) send(size int, join bool) Verdict {
	if c.tempo.Free(&c.tariff, c.now, size) {
		return Allowed
	}
	if c.meter == nil {
		c.meter = NewMeter(c.now)
	}
	c.meter.Fill(c.now)
	return c.meter.Charge(&c.tariff, size, join)
}

// A client may send at each of its rates for ever, five seconds' worth at once,
// and is refused from there on, then banished.
func TestRates(t *testing.T) {
	for name, tt := range map[string]struct {
		tariff Tariff
		size   int
		join   bool
		rate   int // messages a second that it comes to
	}{
		"messages": {NewTariff(1000, -1, -1), 100, false, 1000},
		"bytes":    {NewTariff(-1, 100_000, -1), 1000, false, 100},
		"joins":    {NewTariff(50_000, 256<<20, 20), 10, true, 20},
		"few":      {NewTariff(2, 256<<20, 1000), 10, false, 2},
		"many":     {NewTariff(50_000, 256<<20, 1000), 100, false, 50_000},
	} {
		steady := rated{tariff: tt.tariff}
		for i := range 20 * tt.rate {
			steady.now = uint32(1000 * i / tt.rate)
			if v := steady.send(tt.size, tt.join); v != Allowed {
				t.Errorf("%s: message %d at the allowed rate: verdict %d", name, i, v)
				break
			}
		}
		var n [3]int
		for c := (&rated{tariff: tt.tariff}); n[Banished] == 0; {
			n[c.send(tt.size, tt.join)]++
		}
		if least, most := burst*tt.rate*99/100, (burst+1)*tt.rate+1; n[Allowed] < least || n[Allowed] > most {
			t.Errorf("%s: %d at once, want %d to %d", name, n[Allowed], least, most)
		}
		if want := burst * tt.rate; n[TooFast] < want*99/100-1 || n[TooFast] > want*101/100+1 {
			t.Errorf("%s: %d refused before the end, want about %d", name, n[TooFast], want)
		}
	}
}

// Negative rates are none.
func TestNoRates(t *testing.T) {
	c := rated{tariff: NewTariff(-1, -1, -1)}
	for range 100_000 {
		if v := c.send(8_000_000, true); v != Allowed {
			t.Fatalf("verdict %d without rates", v)
		}
	}
}

// Who sends slowly needs no meter; who has sent fast gets rid of it after a rest.
func TestMeterSize(t *testing.T) {
	if n := unsafe.Sizeof(Meter{}); n > 16 {
		t.Errorf("a meter is %d bytes, want at most 16", n)
	}
	c := rated{tariff: NewTariff(50_000, 256<<20, 1000)}
	for i := range 1_000_000 {
		c.now = uint32(i * 10) // 100 messages a second
		c.send(100, false)
	}
	if c.meter != nil {
		t.Error("100 messages a second have a meter")
	}
	for range 1000 {
		c.send(100, false)
	}
	if c.meter == nil {
		t.Fatal("1,000 messages at once have no meter")
	}
	if !c.meter.Fill(c.now + 1000*burst) {
		t.Errorf("after %d s of rest the meter is %v, want full", burst, *c.meter)
	}
}
