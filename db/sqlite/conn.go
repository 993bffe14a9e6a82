package sqlite

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/ashlar-go/ashlar/db"
	"github.com/ashlar-go/ashlar/db/sqlite/internal/native"
)

// conn is one connection and the statements prepared on it. Whoever uses it
// holds mu, so that rows or a transaction that escaped to another goroutine
// get an error and never corrupt memory.
type conn struct {
	mu     sync.Mutex
	native *native.Conn
	stmts  map[string]*stmt
	clock  uint64
	own    map[string]*native.Stmt // BEGIN, COMMIT and the like
	values []any                   // the arguments of the current statement, to reuse the slice
}

// stmt is a prepared statement in the connection's cache.
type stmt struct {
	*native.Stmt
	sql   string
	kinds []kind
	used  uint64 // the connection's clock at the last use
}

// maxStatements bounds the cache of one connection. A statement takes a few
// kilobytes, and programs have hundreds of them, not thousands.
const maxStatements = 512

// open connects to file and applies the settings, each a statement.
func open(file, vfs string, wait time.Duration, settings ...string) (*conn, error) {
	n, err := native.Open(file, vfs)
	if err != nil {
		return nil, err
	}
	n.BusyWait = wait
	for start, i := time.Now(), 0; i < len(settings); {
		err := n.Run(settings[i])
		switch failure, _ := errors.AsType[*native.Error](err); {
		case err == nil:
			i++
		case failure != nil && failure.Primary() == native.Busy && time.Since(start) < wait:
			// Two processes that turn a new file to WAL at once would wait
			// for each other, so SQLite refuses one without any wait.
			time.Sleep(time.Millisecond)
		default:
			_ = n.Close()
			return nil, err
		}
	}
	if n.ReadOnly() {
		_ = n.Close()
		return nil, &native.Error{Code: native.ReadOnly, Msg: "the file or its directory is read-only"}
	}
	return &conn{native: n, stmts: make(map[string]*stmt), own: make(map[string]*native.Stmt)}, nil
}

func (c *conn) close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.stmts {
		s.Close()
	}
	for _, s := range c.own {
		s.Close()
	}
	clear(c.stmts)
	clear(c.own)
	return c.native.Close()
}

// prepare finds or compiles the statement for an application's SQL text.
func (c *conn) prepare(sql string) (*stmt, error) {
	c.clock++
	if s := c.stmts[sql]; s != nil {
		s.used = c.clock
		return s, nil
	}
	if word := firstWord(sql); forbidden[word] != "" {
		return nil, fmt.Errorf("db/sqlite: %s is not for statements: %s", word, forbidden[word])
	}
	n, err := c.native.Prepare(unlocked(sql))
	if err != nil {
		return nil, failed(err, sql)
	}
	if n.Positional {
		n.Close()
		return nil, failed(errors.New("placeholder ?: they are written $1, $2 and so on"), sql)
	}
	if len(c.stmts) >= maxStatements {
		c.evict()
	}
	s := &stmt{Stmt: n, sql: sql, used: c.clock}
	c.stmts[sql] = s
	return s, nil
}

// evict drops the statement that was not used for the longest time. Looking
// at all of them costs less than the compilation that made it necessary.
func (c *conn) evict() {
	var oldest *stmt
	for _, s := range c.stmts {
		if oldest == nil || s.used < oldest.used {
			oldest = s
		}
	}
	oldest.Close()
	delete(c.stmts, oldest.sql)
}

// control runs a statement of the adapter's own.
func (c *conn) control(sql string) error {
	s := c.own[sql]
	if s == nil {
		var err error
		if s, err = c.native.Prepare(sql); err != nil {
			return err
		}
		c.own[sql] = s
	}
	return s.Run()
}

// exec runs s to its end and counts the rows it changed.
func (c *conn) exec(ctx context.Context, s *stmt, args []any) (db.Result, error) {
	if err := c.bind(s, args); err != nil {
		return db.Result{}, err
	}
	before := c.native.TotalChanges()
	c.native.Ctx = ctx
	err := s.Run()
	c.native.Ctx = nil
	if err != nil {
		return db.Result{}, interrupted(ctx, err, s.sql)
	}
	if c.native.TotalChanges() == before {
		return db.Result{}, nil // Changes would still tell of an earlier statement
	}
	return db.Result{RowsAffected: c.native.Changes()}, nil
}

// forbidden are the statements that would pull a connection from under its
// other users, and what to do instead.
var forbidden = map[string]string{
	"BEGIN":     "use db.InTx",
	"COMMIT":    "use db.InTx",
	"END":       "use db.InTx",
	"ROLLBACK":  "use db.InTx and return an error",
	"SAVEPOINT": "use db.InTx",
	"RELEASE":   "use db.InTx",
	"ATTACH":    "open the other file by itself",
	"DETACH":    "open the other file by itself",
}

// firstWord is the keyword of a statement, in capitals, after blanks and
// comments.
func firstWord(sql string) string {
	for {
		sql = strings.TrimLeft(sql, " \t\r\n\f;")
		switch {
		case strings.HasPrefix(sql, "--"):
			_, sql, _ = strings.Cut(sql, "\n")
		case strings.HasPrefix(sql, "/*"):
			_, sql, _ = strings.Cut(sql, "*/")
		default:
			end := strings.IndexFunc(sql, func(r rune) bool { return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') })
			if end < 0 {
				end = len(sql)
			}
			return strings.ToUpper(sql[:end])
		}
	}
}
