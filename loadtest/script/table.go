package script

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// readTable reads the users of a file, by its ending: .csv with a head of names, or
// .jsonl with an object a line. Each row has all columns.
func readTable(name string, text []byte) (columns []string, rows [][]string, err error) {
	text = bytes.TrimPrefix(text, []byte("\xef\xbb\xbf")) // as some programs begin theirs
	switch {
	case strings.HasSuffix(name, ".csv"):
		columns, rows, err = readCSV(text)
	case strings.HasSuffix(name, ".jsonl"), strings.HasSuffix(name, ".ndjson"):
		columns, rows, err = readLines(text)
	default:
		return nil, nil, fmt.Errorf("%s: want a name that ends in .csv or .jsonl", name)
	}
	switch {
	case err != nil:
		return nil, nil, fmt.Errorf("%s: %w", name, err)
	case len(rows) == 0:
		return nil, nil, fmt.Errorf("%s: no rows", name)
	}
	return columns, rows, nil
}

func readCSV(text []byte) (columns []string, rows [][]string, err error) {
	all, err := csv.NewReader(bytes.NewReader(text)).ReadAll()
	if err != nil || len(all) == 0 {
		return nil, nil, err
	}
	columns = all[0]
	for i := range columns {
		columns[i] = strings.TrimSpace(columns[i])
		if columns[i] != "" && slices.Contains(columns[:i], columns[i]) {
			return nil, nil, fmt.Errorf("line 1: two columns are called %s", columns[i])
		}
	}
	return columns, all[1:], nil
}

func readLines(text []byte) (columns []string, rows [][]string, err error) {
	number := 0
	for line := range bytes.Lines(text) {
		number++
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		var fields map[string]json.RawMessage
		if err := json.Unmarshal(line, &fields); err != nil {
			return nil, nil, fmt.Errorf("line %d: want an object, such as {\"id\": 1}: %w", number, err)
		}
		if len(fields) == 0 {
			return nil, nil, fmt.Errorf("line %d: want an object with something in it, such as {\"id\": 1}", number)
		}
		if columns == nil {
			columns = slices.Sorted(maps.Keys(fields))
		}
		var row []string
		for _, column := range columns {
			value, ok := fields[column]
			if !ok {
				return nil, nil, fmt.Errorf("line %d: no %q, which the first line has", number, column)
			}
			var text string
			if json.Unmarshal(value, &text) != nil {
				text = string(value)
			}
			row = append(row, text)
		}
		rows = append(rows, row)
	}
	return columns, rows, nil
}
