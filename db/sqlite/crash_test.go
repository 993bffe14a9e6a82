package sqlite_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/ashlar-go/ashlar/db"
	"github.com/ashlar-go/ashlar/db/sqlite"
)

// TestKilledProcessLosesNothing kills a process that commits under load, and
// looks for every transaction that it had acknowledged: each is two rows in
// two tables that must be there together.
func TestKilledProcessLosesNothing(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "crash.db")
	const perRound = 500
	acknowledged := make(map[int]bool)
	for round := range 2 {
		child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestChildOfTheCrash$", "-test.count=1")
		child.Env = append(os.Environ(), "ASHLAR_TEST_CRASH="+path, fmt.Sprintf("ASHLAR_TEST_FIRST=%d", round*1_000_000))
		child.Stderr = os.Stderr
		out, err := child.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		lines, before := bufio.NewScanner(out), len(acknowledged)
		for lines.Scan() {
			var id int
			if _, err := fmt.Sscanf(lines.Text(), "ack %d", &id); err != nil {
				continue
			}
			acknowledged[id] = true
			if len(acknowledged) == before+perRound {
				if err := child.Process.Kill(); err != nil { // SIGKILL
					t.Fatal(err)
				}
			}
		}
		if err := child.Wait(); err == nil {
			t.Fatal("the child ended by itself: nothing was tested")
		}
		if got := len(acknowledged) - before; got < perRound {
			t.Fatalf("the child acknowledged only %d transactions", got)
		}
	}

	d := open(t, sqlite.Config{Path: path})
	if ok, err := db.One[string](t.Context(), d, `PRAGMA integrity_check`); ok != "ok" || err != nil {
		t.Errorf("integrity: %q, %v", ok, err)
	}
	there := make(map[int]bool)
	list, err := db.All[int](t.Context(), d, `SELECT id FROM a`)
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range list {
		there[id] = true
	}
	for id := range acknowledged {
		if !there[id] {
			t.Errorf("transaction %d was acknowledged and is lost", id)
		}
	}
	if n, err := db.One[int](t.Context(), d, `SELECT (SELECT COUNT(*) FROM a WHERE id NOT IN (SELECT id FROM b)) + (SELECT COUNT(*) FROM b WHERE id NOT IN (SELECT id FROM a))`); n != 0 || err != nil {
		t.Errorf("%d transactions are half there, %v", n, err)
	}
	t.Logf("%d acknowledged, %d found", len(acknowledged), len(there))
}

// TestChildOfTheCrash is the process that is killed.
func TestChildOfTheCrash(t *testing.T) {
	t.Parallel()
	path := os.Getenv("ASHLAR_TEST_CRASH")
	if path == "" {
		return // nobody asked for a victim
	}
	var next atomic.Int64
	var first int64
	if _, err := fmt.Sscan(os.Getenv("ASHLAR_TEST_FIRST"), &first); err != nil {
		t.Fatal(err)
	}
	next.Store(first)
	ctx := context.Background()
	d, err := sqlite.Open(ctx, sqlite.Config{Path: path, Checkpoint: 200}) // checkpoints under way at the kill too
	if err != nil {
		t.Fatal(err)
	}
	for _, table := range []string{"a", "b"} {
		if _, err := db.Exec(ctx, d, `CREATE TABLE IF NOT EXISTS `+table+` (id BIGINT PRIMARY KEY)`); err != nil {
			t.Fatal(err)
		}
	}
	var group sync.WaitGroup
	for range 32 {
		group.Go(func() {
			for {
				id := next.Add(1)
				if err := inTx(ctx, d, func(tx *db.Tx) error {
					for _, table := range []string{"a", "b"} {
						if _, err := db.Exec(ctx, tx, `INSERT INTO `+table+` (id) VALUES ($1)`, id); err != nil {
							return err
						}
					}
					return nil
				}); err != nil {
					t.Error(err)
					return
				}
				// One write per line: the pipe keeps it after the kill.
				if _, err := fmt.Fprintf(os.Stdout, "ack %d\n", id); err != nil {
					return
				}
			}
		})
	}
	group.Wait()
}
