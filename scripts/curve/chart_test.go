package main

import (
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"
)

func TestChartIsXMLWithALineForEachSize(t *testing.T) {
	svg := chart([]point{
		{Clients: 1000, Rate: 1, PerSecond: 1000}, {Clients: 1000, Rate: 10, PerSecond: 10000},
		{Clients: 1000000, Rate: 1, PerSecond: 200000},
	})
	decoder := xml.NewDecoder(strings.NewReader(svg))
	for {
		_, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("not XML: %v\n%s", err, svg)
		}
	}
	for _, want := range []string{">1k clients<", ">1M clients<", `cx="70.0" cy="370.0"`} { // the smallest values are at the corner
		if !strings.Contains(svg, want) {
			t.Errorf("the chart lacks %s:\n%s", want, svg)
		}
	}
	if n := strings.Count(svg, "<circle"); n != 3 {
		t.Errorf("%d circles, want 3", n)
	}
}
