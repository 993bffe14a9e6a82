//go:build linux

package supervise

import (
	"os"
	"strings"
	"testing"
)

// ofFile is how much of the program and other files is resident, as the kernel
// says it.
func ofFile(t *testing.T) string {
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
	before := ofFile(t)
	letGo()
	after := ofFile(t)
	t.Logf("%s KiB, then %s KiB", before, after)
	if len(after) > len(before) || len(after) == len(before) && after >= before {
		t.Errorf("%s KiB of files are resident, %s KiB before", after, before)
	}
}

func TestUnwritten(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]bool{
		"00400000-01a2b000 r-xp 00000000 fe:00 1  /srv/my shop":           true,
		"01a2b000-02c00000 r--p 0162b000 fe:00 1  /srv/my shop\n":         true,
		"02c00000-02d00000 rw-p 02800000 fe:00 1  /srv/my shop":           false,
		"7f0000000000-7f0000001000 r-xp 00000000 fe:00 2  /lib/libc.so.6": false,
		"7f0000000000-7f0000001000 r--p 00000000 00:00 0":                 false,
		"zz-02c00000 r--p 00000000 fe:00 1  /srv/my shop":                 false,
		"": false,
	} {
		if start, end, ok := unwritten(line, "/srv/my shop"); ok != want || ok && start >= end {
			t.Errorf("%q: %x to %x, %v", line, start, end, ok)
		}
	}
}
