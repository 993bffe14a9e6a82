package supervise

import (
	"bytes"
	"errors"
	"io"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// lean keeps what this process holds near the least that it can hold.
type lean struct {
	held int64 // after it had let go
	at   time.Time
}

const (
	letGoAbove = 1 << 20 // bytes more than the least
	letGoEvery = 250 * time.Millisecond
)

// keep lets go if that is worth the millisecond or two that it costs.
func (l *lean) keep() {
	if resident() <= l.held+letGoAbove {
		return
	}
	letGo()
	l.held, l.at = resident(), time.Now()
}

// pause is how long to wait until it lets go again.
func (l *lean) pause() time.Duration { return letGoEvery - time.Since(l.at) }

// letGo gives back what this process holds and does not use: free heap, and
// those pages of the program and its libraries that are as they are in the file.
// Every burst of work touches some of them, and a start touches half of a
// program, where many packages make tables when they are initialized. What is
// used again comes from the page cache, where the workers have it.
func letGo() {
	debug.FreeOSMemory()
	maps, err := os.ReadFile("/proc/self/smaps")
	if err != nil {
		return // it only holds more
	}
	for _, m := range unwritten(maps) {
		_, _, _ = unix.Syscall(unix.SYS_MADVISE, m.start, m.end-m.start, unix.MADV_DONTNEED)
	}
}

// mapping is a range of addresses.
type mapping struct{ start, end uintptr }

// unwritten returns the mappings of files that cannot be written to and never
// were. What the linker at run time has put in its place, as in a program that
// can lie anywhere, cannot be written to either, and is in no file.
func unwritten(smaps []byte) []mapping {
	var all []mapping
	var m mapping
	of := false // m is a mapping of a file
	for line := range strings.Lines(string(smaps)) {
		if key, value, _ := strings.Cut(line, " "); strings.HasSuffix(key, ":") {
			if of && key == "Anonymous:" && strings.TrimSpace(value) == "0 kB" {
				all = append(all, m)
			}
			continue
		}
		m, of = ofFile(line)
	}
	return all
}

// ofFile reads the first line about a mapping.
func ofFile(line string) (m mapping, ok bool) {
	fields := strings.Fields(line)
	const path = 5
	if len(fields) <= path || !strings.HasPrefix(fields[path], "/") || !strings.HasPrefix(fields[1], "r-") {
		return mapping{}, false
	}
	from, to, _ := strings.Cut(fields[0], "-")
	a, errA := strconv.ParseUint(from, 16, 64)
	b, errB := strconv.ParseUint(to, 16, 64)
	return mapping{uintptr(a), uintptr(b)}, errA == nil && errB == nil && a < b
}

// resident is how many bytes this process holds, zero if that cannot be seen.
func resident() int64 {
	f, err := os.Open("/proc/self/statm")
	if err != nil {
		return 0
	}
	defer func() { _ = f.Close() }() // it was only read
	var line [128]byte
	n, err := f.Read(line[:])
	if err != nil && !errors.Is(err, io.EOF) {
		return 0
	}
	fields := bytes.Fields(line[:n])
	if len(fields) < 2 {
		return 0
	}
	pages, err := strconv.ParseInt(string(fields[1]), 10, 64)
	if err != nil {
		return 0
	}
	return pages * int64(os.Getpagesize())
}
