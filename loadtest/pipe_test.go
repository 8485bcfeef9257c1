package main_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Behind "| head" a run goes on, and is saved.
func TestRunOutlivesItsReader(t *testing.T) {
	t.Parallel()
	c := exec.CommandContext(t.Context(), program, "-clients", "20", "-messages", "3", "-rate", "10", "-out", "run")
	c.Dir = t.TempDir()
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	var errs bytes.Buffer
	c.Stdout, c.Stderr = writer, &errs
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	writer.Close()
	if _, err := bufio.NewReaderSize(reader, 16).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	reader.Close()
	if code := exitCode(t, c.Wait()); code != 0 || errs.Len() > 0 {
		t.Errorf("exit code %d, want 0: %s", code, &errs)
	}
	text, err := os.ReadFile(filepath.Join(c.Dir, "run", "report.txt"))
	if err != nil || !strings.Contains(string(text), "All delivered: 60 messages to 20 clients") {
		t.Errorf("report.txt: %v\n%s", err, text)
	}
}

// With -json - the standard output is JSON and nothing else, and no file is written.
func TestJSONToStandardOutput(t *testing.T) {
	t.Parallel()
	c := exec.CommandContext(t.Context(), program, "-clients", "20", "-messages", "2", "-rate", "10", "-json", "-")
	c.Dir = t.TempDir()
	var figures, people bytes.Buffer
	c.Stdout, c.Stderr = &figures, &people
	if code := exitCode(t, c.Run()); code != 0 {
		t.Fatalf("exit code %d: %s", code, &people)
	}
	var summary struct{ Summary struct{ Delivered int } }
	if err := json.Unmarshal(figures.Bytes(), &summary); err != nil {
		t.Errorf("standard output: %v\n%s", err, &figures)
	}
	if !strings.Contains(people.String(), "All delivered") {
		t.Errorf("standard error lacks the report:\n%s", &people)
	}
	if files, err := os.ReadDir(c.Dir); err != nil || len(files) > 0 {
		t.Errorf("files %v, %v, want none", files, err)
	}

	run := filepath.Join(t.TempDir(), "a.json")
	other := filepath.Join(filepath.Dir(run), "b.json")
	for path, text := range map[string][]byte{run: figures.Bytes(), other: bytes.Replace(figures.Bytes(), []byte(`"start": "2`), []byte(`"start": "1`), 1)} {
		if err := os.WriteFile(path, text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for flag, begin := range map[string]string{"-json": "{", "-html": "<!"} {
		out, err := exec.Command(program, "compare", run, other, flag, "-").CombinedOutput()
		if err != nil || !bytes.HasPrefix(bytes.ToLower(out), []byte(begin)) {
			t.Errorf("compare %s -: %v\n%.200s", flag, err, out)
		}
	}
}
