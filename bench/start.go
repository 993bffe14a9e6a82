package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/ashlar-go/ashlar/bench/procfs"
)

// starts is the fourth measure: the time from exec to the first 200, and what
// the idle process holds.
func starts(o options, t *table) error {
	binary, err := buildExample(o.dir)
	if err != nil {
		return err
	}
	keys, err := exec.Command(binary, "keys", "new").Output()
	if err != nil {
		return fmt.Errorf("make signing keys: %w", err)
	}
	production := []string{
		"ASHLAR_ENV=production", "ASHLAR_SIGNING_KEYS=" + strings.TrimSpace(string(keys)),
		"CARD_FINGERPRINT_KEY=" + strings.Repeat("k", 32),
	}
	kinds := map[string][]string{"production": production, "development": nil}
	for i := range o.starts {
		for kind, env := range kinds {
			dir := filepath.Join(o.dir, fmt.Sprintf("%s-%d", kind, i))
			for _, what := range []string{"Start-empty", "Start-again"} { // the first makes the data of the second
				row, err := startOnce(binary, dir, env)
				if err != nil {
					return fmt.Errorf("%s of %s: %w", what, kind, err)
				}
				t.add(what, kind, row...)
			}
		}
	}
	for kind, env := range kinds {
		row, err := idleOnce(binary, filepath.Join(o.dir, kind+"-0"), o.idle, env)
		if err != nil {
			return fmt.Errorf("idle in %s: %w", kind, err)
		}
		t.add("Idle", kind, row...)
	}
	t.note("start: %.0f ms to the first 200 with an empty directory, %.0f ms again (to reach: 150)",
		median(t.values("Start-empty/production", "ready-ms")), median(t.values("Start-again/production", "ready-ms")))
	t.note("idle: %.1f MB (to reach: 40)", median(t.values("Idle/production", "pss-MB")))
	return nil
}

func startOnce(binary, dir string, env []string) (row []metric, err error) {
	p, err := startExample(binary, dir, env...)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, p.stop()) }()
	cpu, err := procfs.CPU(p.cmd.Process.Pid)
	return []metric{{p.ready.Seconds() * 1000, "ready-ms"}, {cpu.Seconds() * 1000, "cpu-ms"}}, err
}

func idleOnce(binary, dir string, idle time.Duration, env []string) (row []metric, err error) {
	p, err := startExample(binary, dir, env...)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, p.stop()) }()
	time.Sleep(idle)
	return memoryOf(p.cmd.Process.Pid)
}

// memoryOf reads what a process holds: its share of the pages that it has in
// memory (PSS), and all of those pages (RSS).
func memoryOf(pid int) (row []metric, err error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		unit, wanted := map[string]string{"Pss:": "pss-MB", "Rss:": "rss-MB"}[fields[0]]
		if !wanted {
			continue
		}
		kib, err := strconv.ParseFloat(fields[1], 64)
		if err != nil {
			return nil, err
		}
		row = append(row, metric{kib * 1024 / 1e6, unit})
	}
	return row, nil
}
