// Floor prints what scripts/floor/run measured as a table: Roost beside the
// least that a server could do. It starts nothing, and knows of a run only what
// is in its files.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"
)

const usage = `usage: floor [-md] FOLDER

Reads roost-1.json, server-1.json, pairs-1.json, roost-2.json and so on from
FOLDER, and prints medians, and medians of the ratios within a round.

`

func main() {
	flag.Usage = func() {
		fmt.Fprint(flag.CommandLine.Output(), usage)
		flag.PrintDefaults()
	}
	markdown := flag.Bool("md", false, "print Markdown")
	flag.Parse()
	if flag.NArg() != 1 {
		flag.Usage()
		os.Exit(2)
	}
	if err := run(os.Stdout, flag.Arg(0), *markdown); err != nil {
		fmt.Fprintf(os.Stderr, "floor: %v\n", err)
		os.Exit(1)
	}
}

func run(w io.Writer, folder string, markdown bool) error {
	rounds, err := readRounds(os.DirFS(folder))
	if err != nil {
		return fmt.Errorf("read %s: %w", folder, err)
	}
	title := fmt.Sprintf("medians, rounds: %d", len(rounds))
	table := [][]string{{title, "Roost", "floor server", "floor pairs", "Roost / server", "Roost / pairs"}}
	for _, r := range rows {
		table = append(table, r.cells(rounds))
	}
	if markdown {
		return writeMarkdown(w, table)
	}
	return writeText(w, table)
}

// readRounds reads all rounds there are, at least one.
func readRounds(folder fs.FS) (rounds []round, err error) {
	for n := 1; ; n++ {
		r, err := readRound(folder, n)
		if n > 1 && errors.Is(err, errNoRound) {
			return rounds, nil
		}
		if err != nil {
			return nil, err
		}
		rounds = append(rounds, r)
	}
}

// cells is one line of the table.
func (r row) cells(rounds []round) []string {
	var roost, server, pairs, toServer, toPairs []float64
	for _, round := range rounds {
		a, b, c := r.of(round.roost), r.of(round.server), r.of(round.pairs)
		roost, server, pairs = append(roost, a...), append(server, b...), append(pairs, c...)
		toServer, toPairs = append(toServer, ratio(a, b)...), append(toPairs, ratio(a, c)...)
	}
	return []string{r.name, show(roost), show(server), show(pairs), show(toServer), show(toPairs)}
}

// ratio is of single figures, and nothing if one is missing or nothing is what
// to divide by.
func ratio(a, b figure) figure {
	if len(a) == 0 || len(b) == 0 || b[0] == 0 {
		return nil
	}
	return figure{a[0] / b[0]}
}

// show writes the median.
func show(values []float64) string {
	if len(values) == 0 {
		return "-"
	}
	v := median(values)
	switch {
	case v == float64(int64(v)) || v >= 100:
		return strconv.FormatFloat(v, 'f', 0, 64)
	case v >= 10:
		return strconv.FormatFloat(v, 'f', 1, 64)
	}
	return strconv.FormatFloat(v, 'f', 2, 64)
}

func writeText(w io.Writer, table [][]string) error {
	tabs := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, cells := range table {
		fmt.Fprintln(tabs, strings.Join(cells, "\t")) // Flush tells of errors
	}
	return tabs.Flush()
}

func writeMarkdown(w io.Writer, table [][]string) error {
	var text strings.Builder
	for i, cells := range table {
		fmt.Fprintf(&text, "| %s |\n", strings.Join(cells, " | "))
		if i == 0 {
			fmt.Fprintf(&text, "|---%s|\n", strings.Repeat("|--:", len(cells)-1))
		}
	}
	_, err := io.WriteString(w, text.String())
	return err
}
