// Broadcast compares what is sent to everybody: how long a message takes until
// thousands have it, and what a connection costs on which nothing happens. Each
// server is a process of its own; Node's have nothing but what sends.
//
//	go run ./broadcast
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/ashlar-go/ashlar/bench/procfs"
)

const (
	envServe   = "BENCH_BROADCAST"
	envDir     = "BENCH_DIR"
	envProfile = "BENCH_PROFILE"
)

type options struct {
	subscribers, idle, messages int
	every                       time.Duration
	rounds                      int
	dir, node, profiles, only   string
}

func main() {
	if os.Getenv(envServe) != "" {
		if err := serveAshlar(); err != nil {
			fmt.Fprintln(os.Stderr, "broadcast:", err)
			os.Exit(1)
		}
		return
	}
	var o options
	flag.IntVar(&o.subscribers, "subscribers", 5000, "who listens")
	flag.IntVar(&o.idle, "idle", 10_000, "connections on which nothing happens")
	flag.IntVar(&o.messages, "messages", 20, "messages in a round")
	flag.DurationVar(&o.every, "every", 100*time.Millisecond, "pause between two messages")
	flag.IntVar(&o.rounds, "rounds", 3, "rounds; the servers take turns within each")
	flag.StringVar(&o.node, "node", "peers/node", "where Node's packages are")
	flag.StringVar(&o.profiles, "profile", "", "existing directory for CPU profiles of Ashlar")
	flag.StringVar(&o.only, "only", "", "measure only servers whose name has this")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := o.run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "broadcast:", err)
		os.Exit(1)
	}
}

// peer is a server that is compared.
type peer struct {
	name   string
	socket bool
	script string // of Node
}

var peers = []peer{
	{"Ashlar, SSE", false, ""},
	{"Fastify, @fastify/sse", false, "sse.js"},
	{"Ashlar, WebSocket", true, ""},
	{"Fastify, ws", true, "ws.js"},
}

// outcome is what was measured of a peer.
type outcome struct {
	kib, cpu  []float64 // of an idle connection; milliseconds for a message to all
	latencies []time.Duration
}

func (o options) run(ctx context.Context) (err error) {
	if o.dir, err = os.MkdirTemp(".", ".data-"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(o.dir)) }()
	if o.dir, err = filepath.Abs(o.dir); err != nil {
		return err
	}
	outcomes := make([]outcome, len(peers))
	for round := range o.rounds {
		for n := range peers {
			n = (n + round) % len(peers)
			if !strings.Contains(peers[n].name, o.only) {
				continue
			}
			fmt.Fprintf(os.Stderr, "round %d of %d: %s\n", round+1, o.rounds, peers[n].name)
			if err := o.measure(ctx, peers[n], &outcomes[n]); err != nil {
				return fmt.Errorf("%s: %w", peers[n].name, err)
			}
		}
	}
	fmt.Printf("\n%d listeners, %d rounds of %d messages of 200 bytes; %d idle connections; medians of rounds, percentiles of all\n\n", o.subscribers, o.rounds, o.messages, o.idle)
	fmt.Printf("| | p50 ms | p99 ms | last ms | server's CPU ms a message | KiB an idle connection |\n|---|--:|--:|--:|--:|--:|\n")
	for n, p := range peers {
		r := outcomes[n]
		if len(r.latencies) == 0 {
			continue
		}
		slices.Sort(r.latencies)
		at := func(q float64) float64 { return r.latencies[int(q*float64(len(r.latencies)-1))].Seconds() * 1000 }
		fmt.Printf("| %s | %.1f | %.1f | %.1f | %.1f | %.1f |\n", p.name, at(0.5), at(0.99), at(1), median(r.cpu), median(r.kib))
	}
	return nil
}

func median(list []float64) float64 {
	slices.Sort(list)
	return list[len(list)/2]
}

func (o options) measure(ctx context.Context, p peer, r *outcome) (err error) {
	s, err := o.start(ctx, p)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	before, err := procfs.Memory(s.cmd.Process.Pid)
	if err != nil {
		return err
	}
	all, err := listenAll(ctx, s.addr, p.socket, o.idle)
	if err != nil {
		return err
	}
	time.Sleep(2 * time.Second)
	after, err := procfs.Memory(s.cmd.Process.Pid)
	if err != nil {
		return err
	}
	r.kib = append(r.kib, float64(after-before)/1024/float64(len(all)))
	keep := min(o.subscribers, len(all))
	closeAll(all[keep:])
	all = all[:keep]
	defer closeAll(all)
	time.Sleep(time.Second) // until the server has seen that

	arrived := make(chan time.Duration, len(all))
	lost := make(chan error, len(all))
	for _, l := range all {
		go func() {
			for {
				sent, err := l.next()
				if err != nil {
					lost <- err
					return
				}
				if !sent.IsZero() {
					arrived <- time.Since(sent)
				}
			}
		}()
	}
	used, err := procfs.CPU(s.cmd.Process.Pid)
	if err != nil {
		return err
	}
	for range o.messages {
		if err := s.say(ctx); err != nil {
			return err
		}
		within := time.After(patience)
		for n := range all {
			select {
			case took := <-arrived:
				r.latencies = append(r.latencies, took)
			case err := <-lost:
				return fmt.Errorf("a listener was lost: %w", err)
			case <-within:
				return fmt.Errorf("only %d of %d have a message after %s", n, len(all), patience)
			}
		}
		time.Sleep(o.every)
	}
	now, err := procfs.CPU(s.cmd.Process.Pid)
	r.cpu = append(r.cpu, (now-used).Seconds()*1000/float64(o.messages))
	return err
}

// server is a peer that runs.
type server struct {
	cmd  *exec.Cmd
	in   io.WriteCloser
	addr string
}

func (o options) start(ctx context.Context, p peer) (*server, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, self)
	if p.script != "" {
		cmd = exec.CommandContext(ctx, "node", filepath.Join(o.node, "broadcast", p.script)) //nolint:gosec // our own scripts
	}
	cmd.Env = append(os.Environ(), envServe+"=1", envDir+"="+o.dir, envProfile+"="+o.profiles, "NODE_ENV=production")
	cmd.Stderr = os.Stderr
	s := &server{cmd: cmd}
	if s.in, err = cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if s.addr = servesAt(lines.Text()); s.addr != "" {
			go func() { _, _ = io.Copy(io.Discard, out) }()
			return s, nil
		}
	}
	return nil, fmt.Errorf("it ended before it served: %w", cmd.Wait())
}

// servesAt is where a server says that it serves: Node's in words of their own,
// an app in its log.
func servesAt(line string) string {
	if addr, ok := strings.CutPrefix(line, "http://"); ok {
		return addr
	}
	var said struct{ Msg, Addr string }
	if json.Unmarshal([]byte(line), &said) != nil || said.Msg != "serving" {
		return ""
	}
	return said.Addr
}

// stop ends the process by ending its input.
func (s *server) stop() error {
	_ = s.in.Close()
	late := time.AfterFunc(patience, func() { _ = s.cmd.Process.Kill() })
	defer late.Stop()
	return s.cmd.Wait()
}

// say sends a message to all.
func (s *server) say(ctx context.Context) error {
	body := fmt.Sprintf(`{"at":"%d","text":"%s"}`, time.Now().UnixNano(), strings.Repeat("a", 150))
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+s.addr+"/say", strings.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	a, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	if err := a.Body.Close(); err != nil || a.StatusCode != http.StatusNoContent {
		return fmt.Errorf("a message was answered with %s, %w", a.Status, err)
	}
	return nil
}
