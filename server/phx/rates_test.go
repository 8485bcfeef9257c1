package phx

import (
	"testing"
	"unsafe"
)

// A rated is the part of a socket that counts what comes.
type rated struct {
	tariff tariff
	tempo  tempo
	meter  *meter
	now    uint32 // ms
}

func (c *rated) send(size int, join bool) verdict {
	if c.tempo.free(&c.tariff, c.now, size) {
		return allowed
	}
	if c.meter == nil {
		c.meter = newMeter(c.now)
	}
	c.meter.fill(c.now)
	return c.meter.charge(&c.tariff, size, join)
}

// A client may send at each of its rates for ever, five seconds' worth at once,
// and is refused from there on, then banished.
func TestRates(t *testing.T) {
	for name, tt := range map[string]struct {
		rates Rates
		size  int
		join  bool
		rate  int // messages a second that it comes to
	}{
		"messages": {Rates{Messages: 1000, Bytes: -1, Joins: -1}, 100, false, 1000},
		"bytes":    {Rates{Messages: -1, Bytes: 100_000, Joins: -1}, 1000, false, 100},
		"joins":    {Rates{Joins: 20}, 10, true, 20},
		"few":      {Rates{Messages: 2}, 10, false, 2},
		"default":  {Rates{}, 100, false, 50_000},
	} {
		steady := rated{tariff: newTariff(tt.rates)}
		for i := range 20 * tt.rate {
			steady.now = uint32(1000 * i / tt.rate)
			if v := steady.send(tt.size, tt.join); v != allowed {
				t.Errorf("%s: message %d at the allowed rate: verdict %d", name, i, v)
				break
			}
		}
		var n [3]int
		for c := (&rated{tariff: newTariff(tt.rates)}); n[banished] == 0; {
			n[c.send(tt.size, tt.join)]++
		}
		if least, most := burst*tt.rate*99/100, (burst+1)*tt.rate+1; n[allowed] < least || n[allowed] > most {
			t.Errorf("%s: %d at once, want %d to %d", name, n[allowed], least, most)
		}
		if want := burst * tt.rate; n[tooFast] < want*99/100-1 || n[tooFast] > want*101/100+1 {
			t.Errorf("%s: %d refused before the end, want about %d", name, n[tooFast], want)
		}
	}
}

// Negative rates are none.
func TestNoRates(t *testing.T) {
	c := rated{tariff: newTariff(Rates{-1, -1, -1})}
	for range 100_000 {
		if v := c.send(8_000_000, true); v != allowed {
			t.Fatalf("verdict %d without rates", v)
		}
	}
}

// Who sends slowly needs no meter; who has sent fast gets rid of it after a rest.
func TestMeterSize(t *testing.T) {
	if n := unsafe.Sizeof(meter{}); n > 16 {
		t.Errorf("a meter is %d bytes, want at most 16", n)
	}
	c := rated{tariff: newTariff(Rates{})}
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
	if !c.meter.fill(c.now + 1000*burst) {
		t.Errorf("after %d s of rest the meter is %v, want full", burst, *c.meter)
	}
}
