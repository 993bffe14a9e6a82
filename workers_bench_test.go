//go:build linux

package ashlar_test

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

// BenchmarkWorkers answers 16 clients by one process, and by one, two and four
// workers: docs/processes.md has what came of it. Beside the time of a request
// it reports what all processes used for one, how long the start took until
// something served and a reload until all was replaced, and what the parent
// holds afterwards.
func BenchmarkWorkers(b *testing.B) {
	for _, n := range []int{0, 1, 2, 4} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			f, pids := benched(b, n)
			l := under(f.public, plain, shape{clients: 16})
			l.wait(1000)
			before := used(b, pids)
			b.ResetTimer()
			l.wait(int64(b.N))
			b.StopTimer()
			spent := used(b, pids) - before
			if _, failed, err := l.end(); failed > 0 {
				b.Fatal(err)
			}
			b.ReportMetric(float64(f.ready.Milliseconds()), "ready-ms")
			b.ReportMetric(float64(spent.Microseconds())/float64(b.N), "cpu-µs/op")
			if n == 0 {
				return
			}
			out, code := f.command("reload")
			_, text, _ := strings.Cut(out, "reloaded in ")
			took, err := time.ParseDuration(strings.TrimSpace(text))
			if code != 0 || err != nil {
				b.Fatalf("%d, %v: %s", code, err, out)
			}
			b.ReportMetric(float64(took.Milliseconds()), "reload-ms")
			b.ReportMetric(float64(f.status().Memory)/(1<<20), "parent-MiB")
		})
	}
}

// benched starts one process, or a parent with workers, and returns the
// processes.
func benched(b *testing.B, n int) (f *fleet, pids []int) {
	b.Helper()
	if n > 0 {
		f = startWorkers(b, n)
		for _, w := range f.status().Workers {
			pids = append(pids, w.PID)
		}
		return f, append(pids, f.cmd.Process.Pid)
	}
	began := time.Now()
	f = &fleet{t: b, serving: start(b, "ASHLAR_TEST_APP=laden", "ASHLAR_LIMIT_ADDRESS=off")}
	f.ready = time.Since(began)
	b.Cleanup(func() { _ = f.cmd.Process.Kill() })
	return f, []int{f.cmd.Process.Pid}
}

// used is the processor time of processes.
func used(b *testing.B, pids []int) (sum time.Duration) {
	b.Helper()
	for _, pid := range pids {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			b.Fatal(err)
		}
		_, rest, _ := strings.Cut(string(stat), ") ")
		fields := strings.Fields(rest)
		for _, ticks := range fields[11:13] { // user and system, counted from the state
			n, err := strconv.Atoi(ticks)
			if err != nil {
				b.Fatal(err)
			}
			sum += time.Duration(n) * 10 * time.Millisecond
		}
	}
	return sum
}
