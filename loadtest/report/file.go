package report

import (
	"errors"
	"io"
	"os"
)

// WriteFile has write fill the file, which it creates or empties before.
func WriteFile(path string, write func(io.Writer) error) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(write(file), file.Close())
}
