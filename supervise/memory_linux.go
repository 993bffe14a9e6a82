package supervise

import (
	"os"
	"runtime/debug"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// letGo gives back what this process holds and does not use: free heap, and
// those pages of the program that only its start has touched. Half of a program
// can be that, where many packages make tables when they are initialized. What is
// used again comes from the file, or from the page cache, where the workers have it.
func letGo() {
	debug.FreeOSMemory()
	program, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return // it only holds more
	}
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		return
	}
	for line := range strings.Lines(string(maps)) {
		start, end, ok := unwritten(line, program)
		if ok {
			_, _, _ = unix.Syscall(unix.SYS_MADVISE, start, end-start, unix.MADV_DONTNEED)
		}
	}
}

// unwritten returns the range of a mapping of the program that cannot be
// written to, and so is as it is in the file.
func unwritten(line, program string) (start, end uintptr, ok bool) {
	addresses, rest, _ := strings.Cut(line, " ")
	from, to, _ := strings.Cut(addresses, "-")
	if !strings.HasPrefix(rest, "r") || strings.HasPrefix(rest, "rw") || !strings.HasSuffix(strings.TrimRight(rest, "\n"), " "+program) {
		return 0, 0, false
	}
	a, errA := strconv.ParseUint(from, 16, 64)
	b, errB := strconv.ParseUint(to, 16, 64)
	return uintptr(a), uintptr(b), errA == nil && errB == nil && a < b
}
