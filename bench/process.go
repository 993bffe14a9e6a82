package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
)

// process is this program, started again to be one side.
type process struct {
	hello
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

// start starts one side. It writes into a directory below dir, and its CPU
// profile into profiles unless that is empty.
func start(side, dir, profiles string, env ...string) (*process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	if dir, err = os.MkdirTemp(dir, side+"-"); err != nil {
		return nil, err
	}
	p := &process{cmd: exec.Command(self)}
	p.cmd.Env = append(os.Environ(), append(env, envSide+"="+side, envDir+"="+dir)...)
	if profiles != "" {
		p.cmd.Env = append(p.cmd.Env, envProfile+"="+filepath.Join(profiles, side+".pprof"))
	}
	p.cmd.Stderr = os.Stderr
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p.out = bufio.NewReader(out)
	return p, p.cmd.Start()
}

// startServer starts a side that listens.
func startServer(side, dir, profiles string) (*process, error) {
	p, err := start(side, dir, profiles)
	if err != nil {
		return nil, err
	}
	return p, p.read(&p.hello)
}

func (p *process) read(v any) error {
	line, err := p.out.ReadBytes('\n')
	if err != nil {
		return fmt.Errorf("a started process said nothing: %w", err)
	}
	return json.Unmarshal(line, v)
}

func (p *process) at() string { return p.Addr }

// used asks the process what it has used so far.
func (p *process) used() (u used, err error) {
	if _, err := p.in.Write([]byte("\n")); err != nil {
		return u, err
	}
	return u, p.read(&u)
}

// stop ends the process by ending its input.
func (p *process) stop() error {
	_ = p.in.Close()
	return p.cmd.Wait()
}
