//go:build linux && !race

package ashlar_test

import (
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

// mostOfParent is what a parent may hold, in bytes. The race detector and the
// counting of coverage hold more than that themselves.
const mostOfParent = 15_000_000

// residentOf is what a process holds of its own and of files, as the kernel says
// it.
func residentOf(t *testing.T, pid int) (own, files int) {
	t.Helper()
	status, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	if err != nil {
		t.Fatal(err)
	}
	of := func(name string) int {
		_, rest, _ := strings.Cut(string(status), name+":")
		kib, _, _ := strings.Cut(rest, "kB")
		n, err := strconv.Atoi(strings.TrimSpace(kib))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		return n << 10
	}
	return of("RssAnon"), of("RssFile")
}

// TestAParentHoldsLittle looks after each burst of work whether the parent gives
// back what that took. All the looks together have the patience of one.
func TestAParentHoldsLittle(t *testing.T) {
	t.Parallel()
	if testing.CoverMode() != "" {
		t.Skip("the counters of coverage are memory too")
	}
	f := startWorkers(t, 2)
	end := time.Now().Add(lost)
	settles := func(after string) {
		t.Helper()
		for highest := 0; ; time.Sleep(20 * time.Millisecond) {
			own, files := residentOf(t, f.cmd.Process.Pid)
			highest = max(highest, own+files)
			if own+files < mostOfParent {
				t.Logf("after %s: %d KiB of its own, %d KiB of files; %d KiB at most", after, own>>10, files>>10, highest>>10)
				return
			}
			if time.Now().After(end) {
				t.Fatalf("after %s: %d KiB of its own and %d KiB of files are more than %d", after, own>>10, files>>10, mostOfParent>>10)
			}
		}
	}
	settles("the start")
	for range 20 {
		if status, text := fetch(t, f.admin+"/metrics"); status != http.StatusOK || !strings.Contains(text, "ashlar_workers{worker=\"parent\"} 2") {
			t.Fatalf("%d: %s", status, text)
		}
		settles("a scrape")
	}
	f.status()
	settles("a look at the status")
	if out, code := f.command("reload"); code != 0 {
		t.Fatalf("exit code %d: %s", code, out)
	}
	settles("a reload")
	f.stop(t)
}
