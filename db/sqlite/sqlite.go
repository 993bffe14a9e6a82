// Package sqlite keeps a [db.DB] in one SQLite file (or in memory), durable at
// every commit and fast at the same time: transactions that are ready together
// share one commit.
//
//	d, err := sqlite.Open(ctx, sqlite.Config{Path: "shop.db"})
//	if err != nil {
//		return err // names the file and what to do
//	}
//	defer d.Close()
//
// The file is in WAL mode with synchronous=FULL: when [db.InTx] returns nil the
// transaction survives a crash and a power cut. Foreign keys are enforced. One
// connection writes; readers run beside it and see the last commit. Several
// processes may open the file; they take turns at writing, and each shares
// commits only within itself.
//
// A function given to [db.InTx] must be quick and stay off the network: all
// writers of the process wait for it, and those who share its commit get
// their answer after it. A write that runs beside other members of a commit is
// not interrupted by its ctx in the middle of a statement, since SQLite would
// roll back all members; it ends before the next statement.
//
// A lock that PostgreSQL needs (SELECT … FOR UPDATE SKIP LOCKED) may stand in
// the SQL text: it is passed over, because one transaction writes at a time.
package sqlite

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"time"

	"github.com/ashlar-go/ashlar/db"
	"github.com/ashlar-go/ashlar/db/sqlite/internal/native"
)

// Config says which file to open, and how. Only Path is needed.
type Config struct {
	// Path is the database file, made for its owner alone (mode 0600) when it
	// is missing; its directory must exist. ":memory:" is a new database of
	// this Open alone, in memory, with the same behaviour as a file: tests
	// use it.
	Path string
	// Readers is how many statements outside transactions may run at once.
	// Zero means GOMAXPROCS, and at least two: who reads rows, or in a reading
	// transaction, may ask something else beside it on one processor too. More
	// readers than processors slow the writer.
	Readers int
	// Wait bounds how long a statement waits for a reader, the writer or
	// another process, before it fails with [db.ErrBusy]. Zero means 5s. A
	// shorter deadline of the ctx wins.
	Wait time.Duration
	// Group is how many transactions may share one commit. Zero means 64;
	// one commits each by itself.
	Group int
	// Checkpoint is after how many pages of 4 KiB in the write-ahead log its
	// content is moved to the database file. Zero means 4000 (16 MiB). More
	// makes writing cheaper, and the start after a crash slower.
	Checkpoint int
}

// maxDelay is how long a batch takes new members, or as long as the commit
// before it took. It bounds what the first member waits for the others, beside
// the duration of the last one.
const maxDelay = 2 * time.Millisecond

// Open opens the database, making the file if needed. The errors tell which
// file, why, and what to do; errors.Is(err, [db.ErrBusy]) when another process
// holds it for itself.
func Open(ctx context.Context, cfg Config) (*db.DB, error) {
	d, err := openAdapter(ctx, cfg)
	if err != nil {
		return nil, err
	}
	return db.New(d), nil
}

func openAdapter(ctx context.Context, cfg Config) (*adapter, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if cfg.Path == "" {
		return nil, errors.New("db/sqlite: Config.Path is empty: name :memory: or a file")
	}
	if cfg.Readers < 0 || cfg.Wait < 0 || cfg.Group < 0 || cfg.Checkpoint < 0 {
		return nil, errors.New("db/sqlite: Config holds a negative number: zero means the default")
	}
	cfg.Readers = cmp.Or(cfg.Readers, max(2, runtime.GOMAXPROCS(0)))
	cfg.Wait = cmp.Or(cfg.Wait, 5*time.Second)
	cfg.Group = cmp.Or(cfg.Group, 64)
	cfg.Checkpoint = cmp.Or(cfg.Checkpoint, 4000)

	file, vfs, memory := cfg.Path, "", (*native.Memory)(nil)
	if file == ":memory:" {
		m, err := native.NewMemory()
		if err != nil {
			return nil, err
		}
		file, vfs, memory = m.Path(), native.MemoryVFS, m
	} else {
		absolute, err := filepath.Abs(file)
		if err != nil {
			return nil, fmt.Errorf("db/sqlite: %s: %w", file, err)
		}
		file = absolute
		if err := usable(file); err != nil {
			return nil, err
		}
	}
	writing, err := open(file, vfs, cfg.Wait,
		"PRAGMA journal_mode = WAL",
		"PRAGMA synchronous = FULL",
		"PRAGMA foreign_keys = ON",
		"PRAGMA trusted_schema = OFF",
		"PRAGMA temp_store = MEMORY",
		"PRAGMA cache_size = -8000",
		"PRAGMA journal_size_limit = 67108864",
		"PRAGMA wal_autocheckpoint = "+strconv.Itoa(cfg.Checkpoint),
	)
	if err == nil {
		err = logged(writing)
	}
	if err != nil {
		memory.Close()
		return nil, explain(err, cfg.Path, cfg.Wait)
	}
	reading := func() (*conn, error) {
		c, err := open(file, vfs, cfg.Wait,
			"PRAGMA query_only = ON",
			"PRAGMA trusted_schema = OFF",
			"PRAGMA temp_store = MEMORY",
		)
		if err != nil {
			return nil, unusable(err, cfg.Path, cfg.Wait)
		}
		return c, nil
	}
	return &adapter{
		writer:  &writer{conn: writing, file: cfg.Path, wait: cfg.Wait, most: cfg.Group, delay: maxDelay},
		readers: newReaders(cfg.Readers, cfg.Wait, reading),
		memory:  memory,
	}, nil
}

// usable finds the mistakes that SQLite would only call "unable to open
// database file", and makes the file when it is missing.
func usable(file string) error {
	dir := filepath.Dir(file)
	switch info, err := os.Stat(dir); {
	case errors.Is(err, os.ErrNotExist):
		return fmt.Errorf("db/sqlite: %s: the directory %s does not exist: make it, or set another path", file, dir)
	case err != nil:
		return fmt.Errorf("db/sqlite: %s: %w", file, err)
	case !info.IsDir():
		return fmt.Errorf("db/sqlite: %s: %s is not a directory: set another path", file, dir)
	}
	creating.Lock()
	defer creating.Unlock()
	switch info, err := os.Stat(file); {
	case err == nil && info.IsDir():
		return fmt.Errorf("db/sqlite: %s is a directory: name a file in it", file)
	case errors.Is(err, os.ErrNotExist):
		return create(file)
	case err != nil:
		return fmt.Errorf("db/sqlite: %s: %w", file, err)
	}
	return nil
}

// creating is held while a file is looked for and made. To close a file drops
// all locks that this process has on it, those of SQLite too, so nobody may open
// the database between its creation and that close.
var creating sync.Mutex

// create makes the empty file that SQLite would make, for its owner alone: a
// database holds secrets, and the umask may let everybody read. SQLite gives
// the files beside it the same mode.
func create(file string) error {
	f, err := os.OpenFile(file, os.O_RDWR|os.O_CREATE, 0o600) //nolint:gosec // the operator names the database
	if err == nil {
		err = f.Close()
	}
	if err != nil {
		return fmt.Errorf("db/sqlite: %s: cannot be made: check that this user may write the directory: %w", file, err)
	}
	return nil
}

// logged makes sure of the write-ahead log: where it cannot be, SQLite stays
// with another journal and reports no error.
func logged(c *conn) error {
	s, err := c.native.Prepare("PRAGMA journal_mode")
	if err != nil {
		return errors.Join(err, c.close())
	}
	_, err = s.Step()
	mode := string(s.Raw(0))
	s.Close()
	if err == nil && mode != "wal" {
		err = fmt.Errorf("the write-ahead log cannot be used (journal mode %s): put the file on a local disk", mode)
	}
	if err != nil {
		return errors.Join(err, c.close())
	}
	return nil
}

// adapter is the db.Driver of one file.
type adapter struct {
	writer  *writer
	readers *readers
	memory  *native.Memory // nil for a file
}

var _ db.Driver = (*adapter)(nil)

func (d *adapter) Query(ctx context.Context, sql string, args []any) (db.Rows, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	c, err := d.readers.get(ctx)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	r, err := func() (*rows, error) {
		s, err := c.prepare(sql)
		if err != nil {
			return nil, err
		}
		if !s.ReadOnly {
			return nil, db.ErrWrites
		}
		return c.query(ctx, s, args, func() { d.readers.put(c) })
	}()
	c.mu.Unlock()
	if err != nil {
		d.readers.put(c)
		return nil, err
	}
	return r, nil
}

func (d *adapter) Exec(ctx context.Context, sql string, args []any) (db.Result, error) {
	var result db.Result
	err := d.writer.transact(ctx, func(s db.Session) (err error) {
		result, err = s.Exec(ctx, sql, args)
		return err
	})
	if err != nil {
		return db.Result{}, err
	}
	return result, nil
}

func (d *adapter) Transact(ctx context.Context, options db.TxOption, fn func(db.Session) error) error {
	if options.Has(db.ReadOnly) {
		return d.look(ctx, fn)
	}
	return d.writer.transact(ctx, fn)
}

func (d *adapter) Dialect() db.Dialect { return db.SQLite }

func (d *adapter) Ping(ctx context.Context) error {
	r, err := d.Query(ctx, "SELECT 1", nil)
	if err != nil {
		return err
	}
	return r.Close()
}

func (d *adapter) Stats() db.Stats {
	w, p := d.writer, d.readers
	opened := int(p.opened.Load())
	s := db.Stats{
		Connections:  1 + opened,
		InUse:        max(0, cap(p.free)-len(p.free)),
		Waiting:      int(w.waiting.Load() + p.waiting.Load()),
		Waits:        w.waits.Load() + p.waits.Load(),
		WaitTime:     time.Duration(w.waitTime.Load() + p.waitTime.Load()),
		Transactions: w.committed.Load(),
		Rollbacks:    w.rolledBack.Load(),
		Commits:      w.commits.Load(),
	}
	w.mu.Lock()
	if w.held {
		s.InUse++
	}
	w.mu.Unlock()
	return s
}

// Close moves the write-ahead log into the file, since the last connection to
// close does so.
func (d *adapter) Close() error {
	err := d.writer.alone(context.Background(), true)
	if errors.Is(err, db.ErrClosed) {
		return nil
	}
	reading := d.readers.close()
	if err == nil {
		err = d.writer.conn.close()
	}
	if err = errors.Join(reading, err); err == nil {
		d.memory.Close()
	}
	return err
}

func (d *adapter) Migrate(ctx context.Context, fn func(*sql.DB, db.Dialect) error) error {
	return d.writer.migrate(ctx, fn)
}
