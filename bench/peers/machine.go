package main

import (
	"context"
	"debug/buildinfo"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/ashlar-go/ashlar/bench/procfs"
)

// rest returns when the server has nothing to do any more. One that was offered
// more than it can do still works on that when its clients are gone, and would
// take the machine from whoever is driven after it.
func (s *server) rest(ctx context.Context) error {
	const look, longest = 100 * time.Millisecond, 30 * time.Second
	for began := time.Now(); time.Since(began) < longest && ctx.Err() == nil; {
		before, err := s.cpu()
		if err != nil {
			return err
		}
		time.Sleep(look)
		after, err := s.cpu()
		if err != nil {
			return err
		}
		if after-before <= look/10 {
			return nil
		}
	}
	return ctx.Err()
}

// cpu is the processor time of a server's processes so far.
func (s *server) cpu() (sum time.Duration, err error) {
	for _, pid := range s.Pids {
		used, err := procfs.CPU(pid)
		if err != nil {
			return 0, err
		}
		sum += used
	}
	return sum, nil
}

// memory is a server's share of the pages that it has in memory (PSS).
func (s *server) memory() (bytes int64, err error) {
	for _, pid := range s.Pids {
		share, err := procfs.Memory(pid)
		if err != nil {
			return 0, err
		}
		bytes += share
	}
	return bytes, nil
}

// ownCPU is the processor time of this process.
func ownCPU() time.Duration {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		panic(err) // RUSAGE_SELF cannot fail
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// machine is what the figures belong to.
type machine struct {
	CPU        string            `json:"cpu"`
	Processors int               `json:"processors"`
	Memory     string            `json:"memory"`
	Kernel     string            `json:"kernel"`
	Go         string            `json:"go"`
	Node       string            `json:"node,omitempty"`
	Versions   map[string]string `json:"versions"`
}

func (b starter) machine(ctx context.Context, chosen []peer) machine {
	m := machine{Processors: runtime.NumCPU(), Go: strings.TrimPrefix(runtime.Version(), "go"), Versions: map[string]string{}}
	m.CPU, _, _ = strings.Cut(after("/proc/cpuinfo", "model name"), "\n")
	if kib, err := strconv.ParseInt(strings.TrimSuffix(after("/proc/meminfo", "MemTotal"), " kB"), 10, 64); err == nil {
		m.Memory = fmt.Sprintf("%d GiB", (kib+1<<19)>>20)
	}
	if text, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		m.Kernel = strings.TrimSpace(string(text))
	}
	if text, err := exec.CommandContext(ctx, "node", "--version").Output(); err == nil {
		m.Node = strings.TrimPrefix(strings.TrimSpace(string(text)), "v")
	}
	for _, p := range chosen {
		if v := b.version(p); v != "" {
			m.Versions[p.name] = v
		}
	}
	return m
}

// after returns what a file of /proc says after a name and a colon.
func after(file, name string) string {
	text, err := os.ReadFile(file)
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(text)) {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// version is that of a peer's framework, as it was built or installed.
func (b starter) version(p peer) string {
	if p.language == inNode {
		text, err := os.ReadFile(filepath.Join(b.nodeDir, "node_modules", p.framework, "package.json"))
		if err != nil {
			return ""
		}
		var about struct{ Version string }
		if err := json.Unmarshal(text, &about); err != nil {
			return ""
		}
		return about.Version
	}
	info, err := buildinfo.ReadFile(filepath.Join(b.dir, "bin", p.name))
	if err != nil {
		return ""
	}
	for _, dep := range info.Deps {
		if dep.Path == p.framework {
			return strings.TrimPrefix(dep.Version, "v")
		}
	}
	return ""
}
