package main

import (
	"context"
	"fmt"
	"io"
	"iter"
	"net"
	"net/http"
	"os"
	"runtime/pprof"

	"github.com/ashlar-go/ashlar"
	"github.com/ashlar-go/ashlar/config"
	"github.com/ashlar-go/ashlar/op"
	"github.com/ashlar-go/ashlar/room"
)

// said is what is passed on: when it was sent, and something to read.
type said struct {
	At   string `json:"at"`
	Text string `json:"text"`
}

const lobby room.Kind[struct{}, said] = "lobby"

type service struct{ rooms *room.Hub }

func (s service) live(ctx context.Context, _ struct{}) iter.Seq2[room.Item[struct{}, said], error] {
	return lobby.Watch(ctx, s.rooms, "lobby")
}

func (s service) say(_ context.Context, in said) (struct{}, error) {
	return struct{}{}, lobby.Say(s.rooms, "lobby", "somebody", in)
}

// serveAshlar is the program that is measured: a whole app, of which every
// request and stream passes all that any other would.
func serveAshlar() (err error) {
	if dir := os.Getenv(envProfile); dir != "" {
		file, err := os.CreateTemp(dir, "ashlar-*.pprof")
		if err != nil {
			return err
		}
		defer file.Close() //nolint:errcheck // the process ends
		if err := pprof.StartCPUProfile(file); err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
	}
	dir, err := os.MkdirTemp(os.Getenv(envDir), "ashlar-")
	if err != nil {
		return err
	}
	addr, err := freeAddr()
	if err != nil {
		return err
	}
	env := map[string]string{
		"ASHLAR_ADDR": addr, "ASHLAR_ADMIN_ADDR": "127.0.0.1:0", "ASHLAR_DATA_DIR": dir, "ASHLAR_LOG_FILE": dir + "/log",
		"ASHLAR_STREAMS": "40000", "ASHLAR_STREAMS_PRINCIPAL": "40000", "ASHLAR_LIMIT_ADDRESS": "100000/1s", // all come from one address
	}
	cfg, err := config.Load[ashlar.Config](func(name string) (string, bool) {
		value, ok := env[name]
		return value, ok
	})
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	app, err := ashlar.Open(ctx, cfg)
	if err != nil {
		return err
	}
	defer app.Close() //nolint:errcheck // the process ends
	s := service{app.Rooms}
	app.Mount(ashlar.Module{Name: "lobby", Operations: []op.Operation{
		op.Stream("live", "GET /live", s.live, op.Public()),
		op.Command("say", "POST /say", s.say, op.Public()),
	}})
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin) // ends with whoever started it
		stop()
	}()
	go func() {
		for {
			if r, err := http.Get("http://" + addr + "/nothing"); err == nil {
				_ = r.Body.Close()
				fmt.Println("http://" + addr)
				return
			}
		}
	}()
	return app.Run(ctx)
}

func freeAddr() (string, error) {
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close() //nolint:errcheck // it was only asked for its address
	return l.Addr().String(), nil
}
