// Bench compares Ashlar with net/http and encoding/json on the same machine in
// the same minutes. README.md says what is measured, and how to read it.
//
//	go run . -rounds 5
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"
)

// options say how long and how hard is measured.
type options struct {
	rounds   int
	cellTime time.Duration // bound of one cell: one side, one call, one round
	most     int           // bound of its requests
	tries    int           // of a cell that others disturb
	count    int           // requests of one round in process
	clients  int
	starts   int
	idle     time.Duration // how long a server is left alone before its memory is read
	parts    string
	dir      string
	profiles string
	out      string
	rows     int // payments in the large database of pages
}

// part is one of the measures.
type part struct {
	name string
	run  func(options, *table) error
}

var parts = []part{{"handler", handlers}, {"stack", services}, {"payments", payments}, {"start", starts}, {"overload", overload}, {"signin", signIns}, {"layers", ledger}, {"pages", pages}, {"instances", instances}, {"reads", reads}, {"conduit", conduit}}

func main() {
	if side := os.Getenv(envSide); side != "" {
		fail(beSide(side))
		return
	}
	o := options{dir: "."}
	flag.IntVar(&o.rounds, "rounds", 5, "rounds; the sides take turns within each")
	flag.DurationVar(&o.cellTime, "time", 3*time.Second, "how long one side is driven in one round")
	flag.IntVar(&o.most, "most", 1_000_000, "most requests that one side is sent in one round")
	flag.IntVar(&o.tries, "tries", 4, "most times that a cell is measured while others disturb it")
	flag.IntVar(&o.count, "count", 20_000, "requests of one side in one round in process")
	flag.IntVar(&o.clients, "clients", 64, "connections, each with one request at a time")
	flag.IntVar(&o.starts, "starts", 7, "starts of the example of each kind")
	flag.DurationVar(&o.idle, "idle", 10*time.Second, "how long a server is idle before its memory is read")
	flag.StringVar(&o.parts, "part", "handler,stack,payments,start", "what to measure; overload, signin, layers, pages, instances, reads and conduit are only measured when named")
	flag.IntVar(&o.rows, "payments", 10_000_000, "payments in the large database of the part pages")
	flag.StringVar(&o.out, "o", "results.txt", "file for benchstat")
	flag.StringVar(&o.profiles, "profile", "", "existing directory for CPU profiles of the servers")
	flag.Parse()
	fail(measure(o, parts))
}

func fail(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// measure runs the chosen parts and writes what came of them.
func measure(o options, parts []part) (err error) {
	// Data lies beside the source, because a temporary directory may be in
	// memory, where a commit costs nothing.
	if o.dir, err = os.MkdirTemp(o.dir, ".data-"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(o.dir)) }()
	chosen := strings.Split(o.parts, ",")
	t := &table{}
	for _, p := range parts {
		if !slices.Contains(chosen, p.name) {
			continue
		}
		if err := p.run(o, t); err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
	}
	if err := t.print(os.Stdout); err != nil {
		return err
	}
	file, err := os.Create(o.out)
	if err != nil {
		return err
	}
	return errors.Join(t.lines(file), file.Close())
}
