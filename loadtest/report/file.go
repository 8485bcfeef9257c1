package report

import (
	"errors"
	"io"
	"os"
)

// Stdout is the path of the standard output.
const Stdout = "-"

// WriteFile has write fill the file, which it creates or empties before, or the
// standard output.
func WriteFile(path string, write func(io.Writer) error) error {
	if path == Stdout {
		return write(os.Stdout)
	}
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(write(file), file.Close())
}
