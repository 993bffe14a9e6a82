// Package rotate writes a log to a file that is put aside when it has grown:
//
//	file, err := rotate.Open(rotate.Config{Path: "/var/log/payments/app.log"})
//	lines := logs.NewBuffer(file)
//	log := logs.New(lines, logs.Options{})
//	// … and at the end
//	err = errors.Join(lines.Close(), file.Close())
//
// What was put aside lies beside it with the time in its name, compressed, and
// is deleted when it is old or when there are too many. No signal is needed and
// no other program; do not let logrotate move the same file too. Where a
// platform collects standard output, write there instead.
package rotate

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/DeRuina/timberjack"
)

// MinSize is the least size in MiB at which a file may be put aside: below it
// what a logs.Buffer writes at once might not fit into one.
const MinSize = 8

const day = 24 * time.Hour

// Config says where the log is kept and how much of it.
type Config struct {
	// Path is the file that is written. Its directory is made if it is
	// missing, for nobody but the process's user and group.
	Path string
	// Size in MiB at which the file is put aside. Zero means 100.
	Size int
	// Age after which a file that was put aside is deleted, rounded up to whole
	// days. Zero means 7 days; negative means never.
	Age time.Duration
	// Count is how many files put aside are kept. Zero means 10; negative means
	// all of them.
	Count int
	// Plain leaves them uncompressed.
	Plain bool
}

// Check says what of c cannot be.
func (c Config) Check() error {
	switch {
	case c.Path == "":
		return errors.New("rotate: no path")
	case c.Size != 0 && c.Size < MinSize:
		return fmt.Errorf("rotate: files of %d MiB are too small, at least %d", c.Size, MinSize)
	}
	return nil
}

// File is the log's file. It is safe for concurrent use by one process; two
// processes need a file each.
type File struct{ log *timberjack.Logger }

// Open opens the file, or makes it readable to the process's user and group.
func Open(c Config) (*File, error) {
	if err := c.Check(); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(c.Path), 0o750); err != nil {
		return nil, fmt.Errorf("rotate: make the log's directory: %w", err)
	}
	// The library would put aside whatever it cannot append to, a directory too.
	if info, err := os.Stat(c.Path); err == nil && !info.Mode().IsRegular() {
		return nil, fmt.Errorf("rotate: %s is no regular file", c.Path)
	}
	log := &timberjack.Logger{
		Filename: c.Path, FileMode: 0o640, Compression: "gzip",
		MaxSize: c.Size, MaxAge: int((c.Age + day - 1) / day), MaxBackups: c.Count,
	}
	if c.Plain {
		log.Compression = "none"
	}
	switch { // zero means all to timberjack
	case c.Age == 0:
		log.MaxAge = 7
	case c.Age < 0:
		log.MaxAge = 0
	}
	switch {
	case c.Count == 0:
		log.MaxBackups = 10
	case c.Count < 0:
		log.MaxBackups = 0
	}
	if _, err := log.Write(nil); err != nil { // opens it: a wrong path must not wait for the first line
		return nil, fmt.Errorf("rotate: %w", err)
	}
	return &File{log}, nil
}

// Write appends p, which is never parted between two files.
func (f *File) Write(p []byte) (int, error) { return f.log.Write(p) }

// Rotate puts the file aside now and starts another.
func (f *File) Rotate() error { return f.log.Rotate() }

// Close waits for compression under way and closes the file. What is written
// later still gets there.
func (f *File) Close() error { return f.log.Close() }
