package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/ashlar-go/ashlar/bench/peers/shop"
)

// peer is a program that can be compared.
type peer struct {
	name      string
	title     string
	framework string // module or package that it is made of
	language  string
	bareToo   bool // has a bare variant
	graphql   bool // is compared in GraphQL, and in nothing else unless it is ours
	// lacks says which checks and workloads do not apply, and why.
	lacks map[string]string
}

const (
	inGo   = "Go"
	inNode = "Node"
)

// everyone is all that are compared, ours last.
func everyone() []peer {
	return []peer{
		{name: "nethttp", title: "net/http", language: inGo, bareToo: true},
		{name: "gin", title: "Gin", framework: "github.com/gin-gonic/gin", language: inGo, bareToo: true},
		{name: "echo", title: "Echo", framework: "github.com/labstack/echo/v4", language: inGo, bareToo: true},
		{name: "chihuma", title: "Chi + Huma", framework: "github.com/danielgtaylor/huma/v2", language: inGo, bareToo: true},
		{name: "fiber", title: "Fiber", framework: "github.com/gofiber/fiber/v3", language: inGo, bareToo: true},
		{name: "fastify", title: "Fastify", framework: "fastify", language: inNode, bareToo: true},
		{name: "express", title: "Express", framework: "express", language: inNode, bareToo: true},
		{name: "nest", title: "NestJS", framework: "@nestjs/core", language: inNode, bareToo: true},
		{name: "gqlgen", title: "gqlgen", framework: "github.com/99designs/gqlgen", language: inGo, bareToo: true, graphql: true},
		{name: "graphgophers", title: "graphql-go", framework: "github.com/graph-gophers/graphql-go", language: inGo, bareToo: true, graphql: true},
		{name: "mercurius", title: "Mercurius", framework: "mercurius", language: inNode, bareToo: true, graphql: true},
		{name: "yoga", title: "GraphQL Yoga", framework: "graphql-yoga", language: inNode, bareToo: true, graphql: true},
		{name: "apollo", title: "Apollo Server", framework: "@apollo/server", language: inNode, bareToo: true, graphql: true},
		{name: ours, title: "Ashlar", language: inGo, graphql: true, lacks: map[string]string{
			"expired token": "it issues its own tokens, and none that has expired",
		}},
	}
}

// peers are those of one comparison: of REST, where the first one's bare variant
// is what the others are measured against, or of GraphQL.
func peers(graphql bool) (all []peer) {
	for _, p := range everyone() {
		if p.name == ours || p.graphql == graphql {
			all = append(all, p)
		}
	}
	return all
}

const (
	ours = "ashlar"
	full = "full"
	bare = "bare"
)

// server is a started peer.
type server struct {
	shop.Hello

	peer    peer
	variant string
	dir     string
	cmd     *exec.Cmd
	in      io.WriteCloser
	out     *bufio.Reader
}

func (s *server) String() string { return s.peer.name + "/" + s.variant }

// can says whether a workload or check applies.
func (s *server) can(what string) bool { return s.peer.lacks[what] == "" }

// starter starts peers.
type starter struct {
	dir     string // for binaries, databases and logs
	nodeDir string
	otlp    string // endpoint of traces
}

// build builds the Go peers that are asked for.
func (b starter) build(ctx context.Context, chosen []peer) error {
	args := []string{"build", "-o", filepath.Join(b.dir, "bin") + "/"}
	for _, p := range chosen {
		if p.language == inGo {
			args = append(args, "github.com/ashlar-go/ashlar/bench/peers/servers/"+p.name)
		}
	}
	if err := os.MkdirAll(filepath.Join(b.dir, "bin"), 0o700); err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Stderr = os.Stderr
	return cmd.Run()
}

// start starts a peer, and returns when it listens.
func (b starter) start(ctx context.Context, p peer, variant string, limit int) (s *server, err error) {
	s = &server{peer: p, variant: variant}
	if s.dir, err = os.MkdirTemp(b.dir, p.name+"-"+variant+"-"); err != nil {
		return nil, err
	}
	if s.dir, err = filepath.Abs(s.dir); err != nil {
		return nil, err
	}
	settings, err := json.Marshal(shop.Settings{Bare: variant == bare, Dir: s.dir, Secret: secret(), Limit: limit})
	if err != nil {
		return nil, err
	}
	if p.language == inGo {
		s.cmd = exec.CommandContext(ctx, filepath.Join(b.dir, "bin", p.name))
	} else {
		s.cmd = exec.CommandContext(ctx, "node", filepath.Join(b.nodeDir, p.name, "main.js"))
	}
	s.cmd.Env = append(os.Environ(), "BENCH_SETTINGS="+string(settings), "NODE_ENV=production",
		"OTEL_EXPORTER_OTLP_ENDPOINT="+b.otlp, "OTEL_SERVICE_NAME="+p.name, "OTEL_BSP_SCHEDULE_DELAY=1000",
		"OTEL_TRACES_SAMPLER=parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG=0.01")
	if err := s.begin(); err != nil {
		return nil, fmt.Errorf("start %s: %w", s, err)
	}
	return s, nil
}

func (s *server) begin() error {
	log, err := os.Create(s.log())
	if err != nil {
		return err
	}
	errs, err := os.Create(filepath.Join(s.dir, "stderr.log"))
	if err != nil {
		return errors.Join(err, log.Close())
	}
	ours, theirs, err := os.Pipe()
	if err != nil {
		return errors.Join(err, log.Close(), errs.Close())
	}
	s.cmd.Dir, s.cmd.Stdout, s.cmd.Stderr, s.cmd.ExtraFiles = s.dir, log, errs, []*os.File{theirs}
	if s.in, err = s.cmd.StdinPipe(); err == nil {
		err = s.cmd.Start()
	}
	if err := errors.Join(err, log.Close(), errs.Close(), theirs.Close()); err != nil { // the process has its own
		return errors.Join(err, ours.Close())
	}
	s.out = bufio.NewReader(ours)
	if err := ours.SetReadDeadline(time.Now().Add(patience)); err != nil {
		return errors.Join(err, s.stop())
	}
	if err := s.read(&s.Hello); err != nil {
		said, _ := os.ReadFile(errs.Name())
		return errors.Join(fmt.Errorf("%w: %s", err, said), s.stop())
	}
	if len(s.Pids) == 0 {
		s.Pids = []int{s.cmd.Process.Pid}
	}
	if s.Addr == "" {
		if err := s.awaitAddress(); err != nil {
			return errors.Join(err, s.stop())
		}
	}
	return ours.SetReadDeadline(time.Time{})
}

const patience = 30 * time.Second

func (s *server) log() string { return filepath.Join(s.dir, "stdout.log") }

// awaitAddress reads the log until it says where the program serves.
func (s *server) awaitAddress() error {
	for began := time.Now(); time.Since(began) < patience; time.Sleep(2 * time.Millisecond) {
		text, err := os.ReadFile(s.log())
		if err != nil {
			return err
		}
		for line := range bytes.Lines(text) {
			var said struct {
				Msg, Addr string
				Admin     string `json:"admin_addr"`
			}
			if json.Unmarshal(line, &said) == nil && said.Msg == "serving" {
				s.Addr, s.Admin = said.Addr, said.Admin
				return nil
			}
		}
	}
	return errors.New("its log does not say where it serves")
}

func (s *server) read(v any) error {
	line, err := s.out.ReadBytes('\n')
	if err != nil {
		return fmt.Errorf("it said nothing: %w", err)
	}
	return json.Unmarshal(line, v)
}

// allocations asks a Go peer how often it has allocated.
func (s *server) allocations() (n uint64, err error) {
	if s.peer.language != inGo {
		return 0, nil
	}
	if _, err := s.in.Write([]byte("\n")); err != nil {
		return 0, err
	}
	var u shop.Used
	return u.Mallocs, s.read(&u)
}

// stop ends the peer by ending its input, or else kills it.
func (s *server) stop() error {
	if s.cmd.Process == nil {
		return nil
	}
	_ = s.in.Close()
	ended := make(chan error, 1)
	go func() { ended <- s.cmd.Wait() }()
	select {
	case err := <-ended:
		return err
	case <-time.After(patience):
		return errors.Join(fmt.Errorf("%s does not end", s), s.cmd.Process.Kill(), <-ended)
	}
}
