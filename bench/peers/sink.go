package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"time"
)

// sink takes the traces that peers export and counts the deliveries.
type sink struct {
	addr  string
	taken atomic.Int64
	stop  func() error
}

func openSink(ctx context.Context) (*sink, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &sink{addr: l.Addr().String()}
	server := &http.Server{ReadHeaderTimeout: patience, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if n, err := io.Copy(io.Discard, r.Body); err == nil && n > 0 && r.URL.Path == "/v1/traces" {
			s.taken.Add(1)
		}
		w.Header().Set("Content-Type", "application/x-protobuf") // of which an empty answer is a valid one
	})}
	s.stop = server.Close
	go func() { _ = server.Serve(l) }()
	return s, nil
}

// checkTraces asks a server until it has exported a trace: of 1 500 requests
// 15 should be sampled.
func (s *sink) checkTraces(ctx context.Context, of *server) error {
	if !of.can("trace") {
		return nil
	}
	before := s.taken.Load()
	a := &asker{server: of, client: &http.Client{Timeout: patience}}
	defer a.client.CloseIdleConnections()
	for range 1500 {
		if got, err := a.ask(ctx, "GET", "/v1/state", ""); err != nil || got.status != http.StatusOK {
			return errors.Join(err, fmt.Errorf("%s answers %d", of, got.status))
		}
	}
	for began := time.Now(); time.Since(began) < patience; time.Sleep(20 * time.Millisecond) {
		if s.taken.Load() > before {
			return nil
		}
	}
	return fmt.Errorf("%s exports no trace", of)
}
