package torture

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// settableClock writes an overlay for the go command under which time.Now adds
// what the file named by TORTURE_CLOCK says, in nanoseconds. So a process can
// be told that somebody set its clock, while its monotonic clock goes on as it
// does on a real machine. The program's own files are as they are.
func settableClock(ctx context.Context, dir string) (overlay string, err error) {
	out, err := exec.CommandContext(ctx, "go", "env", "GOROOT").Output()
	if err != nil {
		return "", err
	}
	std := filepath.Join(strings.TrimSpace(string(out)), "src", "time")
	source, err := os.ReadFile(filepath.Join(std, "time.go"))
	if err != nil {
		return "", err
	}
	const (
		head = "func Now() Time {\n\tsec, nsec, mono := runtimeNow()\n"
		jump = "\tsec += TortureJump.Load()\n"
	)
	if bytes.Count(source, []byte(head)) != 1 {
		return "", errors.New("time.Now is not what it was in Go 1.26: clock_test.go must be written anew")
	}
	here, err := filepath.Abs("..")
	if err != nil {
		return "", err
	}
	replaced := map[string]string{}
	add := func(place, name, text string) {
		file := filepath.Join(dir, name)
		replaced[place] = file
		if err == nil {
			err = os.WriteFile(file, []byte(text), 0o600)
		}
	}
	add(filepath.Join(std, "time.go"), "time.go", strings.Replace(string(source), head, head+jump, 1))
	add(filepath.Join(std, "torture.go"), "torture.go", "package time\n\nimport \"sync/atomic\"\n\n// TortureJump is how many seconds the clock was set forward.\nvar TortureJump atomic.Int64\n")
	add(filepath.Join(here, "zz_clock.go"), "zz_clock.go", followClock)
	if err != nil {
		return "", err
	}
	text, err := json.Marshal(map[string]any{"Replace": replaced})
	if err != nil {
		return "", err
	}
	overlay = filepath.Join(dir, "overlay.json")
	return overlay, os.WriteFile(overlay, text, 0o600)
}

// followClock is added to the program's package main.
const followClock = `package main

import (
	"os"
	"strconv"
	"strings"
	"time"
)

func init() {
	file := os.Getenv("TORTURE_CLOCK")
	if file == "" {
		return
	}
	follow := func() {
		text, err := os.ReadFile(file)
		if err != nil {
			return
		}
		if seconds, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64); err == nil {
			time.TortureJump.Store(seconds)
		}
	}
	follow()
	go func() {
		for range time.Tick(20 * time.Millisecond) {
			follow()
		}
	}()
}
`

// setClock sets the clock of the process that follows file, relative to the
// true time.
func setClock(file string, by time.Duration) error {
	next := file + ".next"
	if err := os.WriteFile(next, []byte(strconv.FormatInt(int64(by/time.Second), 10)), 0o600); err != nil {
		return err
	}
	return os.Rename(next, file)
}
