package supervise_test //nolint:testableexamples // it serves until a signal comes

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"

	"github.com/ashlar-go/ashlar/supervise"
)

// A program of net/http alone that serves with two workers, and reloads itself
// on SIGHUP. Parent and workers are the same program: whoever was started by a
// parent finds that out by Join.
func Example_bare() {
	if err := mainOfBoth(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func mainOfBoth() error {
	w, err := supervise.Join()
	if err != nil {
		return err
	}
	if w != nil {
		return serveAsWorker(w)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	l, err := net.Listen("tcp", "127.0.0.1:8080")
	if err != nil {
		return err
	}
	p, err := supervise.New(supervise.Config{
		Workers: 2, Args: os.Args[1:], Sockets: []supervise.Socket{{Name: "public", Listener: l}},
	})
	if err != nil {
		return err
	}
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	go func() {
		for range hangups {
			if err := p.Reload(ctx, nil); err != nil {
				fmt.Fprintln(os.Stderr, err) // the old workers go on
			}
		}
	}()
	return p.Run(ctx)
}

func serveAsWorker(w *supervise.Worker) error {
	l, err := w.Listener("public")
	if err != nil {
		return err
	}
	server := &http.Server{Handler: http.DefaultServeMux}
	left := make(chan error, 1)
	go func() {
		<-w.Draining()
		left <- server.Shutdown(context.Background()) // package serve has one that loses nothing
	}()
	if err := w.Ready(nil); err != nil {
		return err
	}
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return <-left
}
