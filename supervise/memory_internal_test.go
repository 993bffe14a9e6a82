//go:build linux

package supervise

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// residentFiles is how much of the program and other files is resident, as the kernel
// says it.
func residentFiles(t *testing.T) string {
	t.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(status), "RssFile:")
	kib, _, _ := strings.Cut(rest, "kB")
	return strings.TrimSpace(kib)
}

func TestALotOfTheProgramIsLetGo(t *testing.T) { //nolint:paralleltest // others would touch the program meanwhile
	before := residentFiles(t)
	letGo()
	after := residentFiles(t)
	t.Logf("%s KiB, then %s KiB", before, after)
	if len(after) > len(before) || len(after) == len(before) && after >= before {
		t.Errorf("%s KiB of files are resident, %s KiB before", after, before)
	}
}

// TestWhatIsInNoFileIsKept has a page of the program as the linker at run time
// leaves it: changed, and then not to be written to any more.
func TestWhatIsInNoFileIsKept(t *testing.T) {
	t.Parallel()
	f, err := os.Open("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	page, err := unix.Mmap(int(f.Fd()), 0, os.Getpagesize(), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.Munmap(page) }()
	placed := []byte("put in its place")
	copy(page, placed)
	if err := unix.Mprotect(page, unix.PROT_READ); err != nil {
		t.Fatal(err)
	}
	letGo()
	if !bytes.HasPrefix(page, placed) {
		t.Errorf("the page is as it is in the file: %q", page[:len(placed)])
	}
}

func TestUnwritten(t *testing.T) {
	t.Parallel()
	const clean, changed = "Rss:     8 kB\nAnonymous:   0 kB\n", "Rss:     8 kB\nAnonymous:   4 kB\n"
	for smaps, want := range map[string]bool{
		"00400000-01a2b000 r-xp 00000000 fe:00 1  /srv/my shop\n" + clean:             true,
		"01a2b000-02c00000 r--p 0162b000 fe:00 1  /srv/my shop (deleted)\n" + clean:   true,
		"01a2b000-02c00000 r--p 0162b000 fe:00 1  /srv/my shop\n" + changed:           false,
		"02c00000-02d00000 rw-p 02800000 fe:00 1  /srv/my shop\n" + clean:             false,
		"7f0000000000-7f0000001000 r-xp 00000000 fe:00 2  /lib/libc.so.6\n" + clean:   true,
		"7f0000000000-7f0000001000 r--p 00000000 fe:00 2  /lib/libc.so.6\n" + changed: false,
		"7f0000000000-7f0000001000 r--p 00000000 00:00 0\n" + clean:                   false,
		"7f0000000000-7f0000001000 r-xp 00000000 00:00 0 [vdso]\n" + clean:            false,
		"zz-02c00000 r--p 00000000 fe:00 1  /srv/my shop\n" + clean:                   false,
		"00400000-01a2b000 r-xp 00000000 fe:00 1  /srv/my shop\n":                     false,
		"": false,
	} {
		all := unwritten([]byte(smaps))
		if ok := len(all) == 1; ok != want || ok && all[0].start >= all[0].end {
			t.Errorf("%q: %v", smaps, all)
		}
	}
}
