package script_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/roost-rt/roost/loadtest/script"
)

// table reads users from a file of that name.
func table(name, text string) (script.Source, error) {
	app := "target: {url: ws://a/}\ntopics: [{topic: a}]\nusers: {file: " + name + "}\n"
	src, _, err := script.Load("dir/app.yaml", func(file string) ([]byte, error) {
		switch file {
		case "dir/app.yaml":
			return []byte(app), nil
		case "dir/" + name, name:
			return []byte(text), nil
		}
		return nil, fmt.Errorf("no file %s", file)
	}, func(string) (string, bool) { return "", false })
	return src, err
}

// Whatever a program of tables writes is read alike.
func TestTables(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, text string
		columns    []string
		rows       [][]string
	}{
		{"u.csv", "id,token\n1,a\n2,b\n", []string{"id", "token"}, [][]string{{"1", "a"}, {"2", "b"}}},
		{"u.csv", "\xef\xbb\xbfid,token\r\n1,a\r\n2,b", []string{"id", "token"}, [][]string{{"1", "a"}, {"2", "b"}}},
		{"u.csv", "id\n1\n", []string{"id"}, [][]string{{"1"}}},
		{"u.csv", "\n\nid , name\n\n1,\"a,b\"\n\n2,\"say \"\"a\"\"\nand more\"\n\n", []string{"id", "name"}, [][]string{{"1", "a,b"}, {"2", "say \"a\"\nand more"}}},
		{"u.csv", "id,name\n1,\n\"\",b\n", []string{"id", "name"}, [][]string{{"1", ""}, {"", "b"}}},
		{"u.csv", "id,,\n1,2,3\n", []string{"id", "", ""}, [][]string{{"1", "2", "3"}}}, // columns that nobody can name
		{"u.csv", "größe,e-mail\n1,a@b\n", []string{"größe", "e-mail"}, [][]string{{"1", "a@b"}}},
		{"/abs.csv", "id\n1\n", []string{"id"}, [][]string{{"1"}}},
		{"u.jsonl", `{"id":1,"name":"a"}` + "\n" + `{"name":"b","id":2,"more":true}` + "\n", []string{"id", "name"}, [][]string{{"1", "a"}, {"2", "b"}}},
		{"u.jsonl", "\xef\xbb\xbf" + `{"id":1}` + "\r\n\r\n  \n" + `{"id":"x\ny"}`, []string{"id"}, [][]string{{"1"}, {"x\ny"}}},
		{"u.ndjson", `{"id":1.50,"o":{"a": [1]},"n":null,"t":true}`, []string{"id", "n", "o", "t"}, [][]string{{"1.50", "", `{"a": [1]}`, "true"}}},
	} {
		src, err := table(test.name, test.text)
		if err != nil || !slices.Equal(src.Columns, test.columns) || !slices.EqualFunc(src.Rows, test.rows, slices.Equal) {
			t.Errorf("%s %q: columns %q, rows %q, %v, want %q and %q", test.name, test.text, src.Columns, src.Rows, err, test.columns, test.rows)
		}
	}
}

// What is no table is said with its line.
func TestTablesThatAreNone(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, text, want string }{
		{"u.csv", "", "u.csv: no rows"},
		{"u.csv", "id,token\n", "u.csv: no rows"},
		{"u.csv", "id,token\n1\n", "u.csv: record on line 2: wrong number of fields"},
		{"u.csv", "id\n\"1\n", "u.csv: parse error on line 2"},
		{"u.csv", "id,token\n1,a\"b\n", "line 2, column"},
		{"u.csv", "id,token,id\n1,a,2\n", "u.csv: line 1: two columns are called id"},
		{"u.jsonl", "", "u.jsonl: no rows"},
		{"u.jsonl", "\n\n", "u.jsonl: no rows"},
		{"u.jsonl", `{"id":1}` + "\n{\n", `u.jsonl: line 2: want an object, such as {"id": 1}`},
		{"u.jsonl", `[1]`, "u.jsonl: line 1: want an object"},
		{"u.jsonl", "7", "u.jsonl: line 1: want an object"},
		{"u.jsonl", "{}\n" + `{"id":1}`, "u.jsonl: line 1: want an object with something in it"},
		{"u.jsonl", `{"id":1}` + "\nnull\n", "u.jsonl: line 2: want an object with something in it"},
		{"u.jsonl", `{"id":1}` + "\n\n" + `{"ID":2}`, `u.jsonl: line 3: no "id", which the first line has`},
		{"u.json", `[{"id":1}]`, "u.json: want a name that ends in .csv or .jsonl"},
		{"u.txt", "id\n1\n", "want a name that ends in .csv or .jsonl"},
	} {
		if _, err := table(test.name, test.text); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s %q: %v, want %q", test.name, test.text, err, test.want)
		}
	}
}

// A column has any name without spaces.
func TestColumnsByName(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"id", "e-mail", "größe", "user.name", "a/b", "X_1", "名"} {
		src := script.Source{Text: []byte("target: {url: ws://a/}\ntopics: [{topic: \"{{user." + name + "}}\"}]\nusers: {file: u.csv}\n"), Columns: []string{"first", name}, Rows: [][]string{{"no", "yes"}}}
		s, err := src.Script()
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		scope := script.Scope{Script: s, N: 1}
		if got, err := scope.Text(s.Topics[0].Topic); err != nil || got != "yes" {
			t.Errorf("{{user.%s}} is %q, %v", name, got, err)
		}
	}
}
