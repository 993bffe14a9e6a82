package shop

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"runtime"
	"time"
)

// Settings is what the bench tells a peer through its environment.
type Settings struct {
	Bare   bool   // the framework alone, with validation and nothing else
	Dir    string // where the database is
	Secret []byte // of HS256
	Limit  int    // requests that one address may make in Window
}

const (
	// Window is the time that the rate limit counts over.
	Window = time.Minute
	// Issuer and Audience are in each access token.
	Issuer, Audience = "bench", "bench"
	// Origin is whom CORS lets in.
	Origin = "https://app.example.com"
	// MaxBody is the most bytes of a body.
	MaxBody = 1 << 20
	// Timeout bounds a request.
	Timeout = 10 * time.Second
	// The time-outs of a connection.
	ReadHeaderTimeout, ReadTimeout, WriteTimeout, IdleTimeout = 5 * time.Second, 10 * time.Second, 30 * time.Second, 2 * time.Minute
	// Beat is how often an idle stream says that it is there.
	Beat = 15 * time.Second
	// MaxHeader is the most bytes of a request's head.
	MaxHeader = 16 << 10
)

// FromEnvironment reads the settings.
func FromEnvironment() (s Settings, err error) {
	err = json.Unmarshal([]byte(os.Getenv("BENCH_SETTINGS")), &s)
	return s, err
}

// Hello is the first line that a started peer writes to file descriptor 3.
type Hello struct {
	Addr  string // where operations are served
	Admin string // where metrics are, if elsewhere
	// Pids are the processes, if they are not the started one alone.
	Pids []int `json:",omitempty"`
	// NoDatabase says that there is no driver for the database here.
	NoDatabase bool `json:",omitempty"`
	// Tokens by role, of a peer that makes its own.
	Tokens map[string]string `json:",omitempty"`
}

// Used is its answer to each line that it reads.
type Used struct{ Mallocs, Bytes uint64 }

// Listen returns the listener of a peer.
func Listen() (net.Listener, error) { return net.Listen("tcp", "127.0.0.1:0") }

// Attend tells the bench where the peer is, then answers each line of the
// input with what the process has used, until the input ends: with the bench,
// however that ends.
func Attend(hello Hello) error {
	out := json.NewEncoder(os.NewFile(3, "bench"))
	if err := out.Encode(hello); err != nil {
		return err
	}
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		if err := out.Encode(Used{m.Mallocs, m.TotalAlloc}); err != nil {
			return err
		}
	}
	return nil
}

// Serve starts to serve at l and returns; admin is where its metrics are, if
// it has any.
type Serve func(ctx context.Context, s Settings, store *Store, l net.Listener) (admin string, err error)

// Main is the main function of a peer.
func Main(serve Serve) {
	if err := run(serve); err != nil {
		fmt.Fprintln(os.Stderr, "peer:", err)
		os.Exit(1)
	}
}

func run(serve Serve) error {
	ctx := context.Background()
	s, err := FromEnvironment()
	if err != nil {
		return err
	}
	store, err := Open(ctx, s.Dir)
	if err != nil {
		return err
	}
	l, err := Listen()
	if err != nil {
		return err
	}
	admin, err := serve(ctx, s, store, l)
	if err != nil {
		return err
	}
	return Attend(Hello{Addr: l.Addr().String(), Admin: admin})
}
