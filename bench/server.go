package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"runtime"
	"runtime/pprof"
	"syscall"
	"time"
)

// The environment of a process that this program starts of itself.
const (
	envSide    = "ASHLAR_BENCH_SIDE"    // what to be: see sides
	envDir     = "ASHLAR_BENCH_DIR"     // where to write
	envProfile = "ASHLAR_BENCH_PROFILE" // file of a CPU profile, if any
)

// sides are what a started process can be.
var sides = map[string]func(ctx context.Context, dir string) error{
	"handler-bare":   func(context.Context, string) error { return serveInProcess(bareHandler()) },
	"handler-ashlar": func(context.Context, string) error { return serveInProcess(ashlarHandler()) },
	"service-bare":   func(context.Context, string) error { return listenBare(bareService()) },
	"books-bare": func(ctx context.Context, dir string) error {
		h, err := bareBooks(ctx, dir)
		if err != nil {
			return err
		}
		return listenBare(h)
	},
	"articles-bare": func(ctx context.Context, _ string) error {
		h, err := bareArticles(ctx)
		if err != nil {
			return err
		}
		return listenBare(h)
	},
	"storm":         beStorm,
	"overload-auto": func(ctx context.Context, dir string) error { return serveOverload(ctx, dir, "auto") },
	"overload-off":  func(ctx context.Context, dir string) error { return serveOverload(ctx, dir, "off") },
	"service-ashlar": func(ctx context.Context, dir string) error {
		s, token, err := ashlarService(ctx, dir)
		if err != nil {
			return err
		}
		addr, err := s.Listen(ctx)
		if err != nil {
			return err
		}
		go func() { _ = s.Run(ctx) }() // until the process ends
		return report(hello{Addr: addr.String(), Token: token})
	},
}

// listenBare serves until the process ends, as net/http does by itself.
func listenBare(h http.Handler) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	go func() { _ = http.Serve(l, h) }()
	return report(hello{Addr: l.Addr().String()})
}

// beSide is the main function of a started process: it begins, then answers
// each line that it reads with what it has used so far, and ends with its input.
func beSide(side string) error {
	if file := os.Getenv(envProfile); file != "" {
		out, err := os.Create(file)
		if err != nil {
			return err
		}
		if err := pprof.StartCPUProfile(out); err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
	}
	begin, known := sides[side]
	if l, is := layerOf(side); is {
		begin, known = func(ctx context.Context, dir string) error { return serveLayer(ctx, dir, l) }, true
	}
	if !known {
		return fmt.Errorf("there is no side %q", side)
	}
	if err := begin(context.Background(), os.Getenv(envDir)); err != nil {
		return err
	}
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		if err := report(usedSoFar()); err != nil {
			return err
		}
	}
	return nil
}

// hello is the first thing that a started server says.
type hello struct{ Addr, Token string }

// used is what a process has used.
type used struct {
	CPU     time.Duration
	Mallocs uint64
	Bytes   uint64
}

func (u used) since(before used) used {
	return used{u.CPU - before.CPU, u.Mallocs - before.Mallocs, u.Bytes - before.Bytes}
}

func usedSoFar() used {
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	return used{CPU: ownCPU(), Mallocs: memory.Mallocs, Bytes: memory.TotalAlloc}
}

// ownCPU is the processor time of this process, the collector's included.
func ownCPU() time.Duration {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		panic(err) // RUSAGE_SELF cannot fail
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

func report(v any) error { return json.NewEncoder(os.Stdout).Encode(v) }
