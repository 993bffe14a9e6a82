// Package native calls the SQLite library directly: one connection, its
// prepared statements, and a file system in memory. It leaves out
// database/sql because that costs more per statement than SQLite does: boxed
// values in both directions, a malloc for each text argument, and a goroutine
// for each context that can end.
//
// Nothing here is safe for concurrent use: the caller serialises everything
// on one Conn and its statements. All unsafe code of the adapter is here.
package native

import (
	"context"
	"sync"
	"time"
	"unsafe"

	"modernc.org/libc"
	lib "modernc.org/sqlite/lib"
)

// Conn is one connection to a database file.
type Conn struct {
	// Ctx, when it is not nil, interrupts the running statement once it has
	// ended. An interrupted write rolls back its whole transaction.
	Ctx context.Context
	// BusyWait bounds how long a statement waits for another connection's
	// lock. It also ends with Ctx.
	BusyWait time.Duration

	path      string
	tls       *libc.TLS
	db        uintptr
	scratch   uintptr // room for results that C writes through pointers
	arena     uintptr // copies of the arguments of the current statement
	arenaSize int
	arenaUsed int
	busySince time.Time
}

// scratchSize holds three C values and a list of two variadic arguments.
const scratchSize = 64

// progressSteps is how many virtual machine steps pass between two looks at
// Ctx: about a tenth of a millisecond.
const progressSteps = 4000

// conns finds the Conn of a database handle inside a callback from C, which
// can carry only one word.
var conns sync.Map // uintptr -> *Conn

// Open opens the file at path through the named file system, "" for the
// operating system's. The file is made when it is missing.
func Open(path, vfs string) (*Conn, error) {
	c := &Conn{path: path, tls: libc.NewTLS()}
	c.scratch = lib.Xsqlite3_malloc64(c.tls, scratchSize)
	if c.scratch == 0 {
		return nil, &Error{Code: lib.SQLITE_NOMEM, Msg: "out of memory"}
	}
	name, err := libc.CString(path)
	if err != nil {
		c.release()
		return nil, err
	}
	defer libc.Xfree(c.tls, name)
	var vfsName uintptr
	if vfs != "" {
		if vfsName, err = libc.CString(vfs); err != nil {
			c.release()
			return nil, err
		}
		defer libc.Xfree(c.tls, vfsName)
	}
	// No mutex of SQLite's own: the caller's is enough.
	const flags = lib.SQLITE_OPEN_NOMUTEX | lib.SQLITE_OPEN_EXRESCODE | lib.SQLITE_OPEN_READWRITE | lib.SQLITE_OPEN_CREATE
	rc := lib.Xsqlite3_open_v2(c.tls, name, c.scratch, flags, vfsName)
	c.db = *(*uintptr)(pointer(c.scratch))
	if rc != lib.SQLITE_OK {
		err := c.fail(rc)
		_ = c.Close()
		return nil, err
	}
	conns.Store(c.db, c)
	lib.Xsqlite3_progress_handler(c.tls, c.db, progressSteps, callback(onProgress), c.db)
	lib.Xsqlite3_busy_handler(c.tls, c.db, callback(onBusy), c.db)
	// "x" is an identifier and never a string, as in PostgreSQL; and SQL may
	// not corrupt the file.
	for op, on := range map[int32]int32{
		lib.SQLITE_DBCONFIG_DQS_DML:   0,
		lib.SQLITE_DBCONFIG_DQS_DDL:   0,
		lib.SQLITE_DBCONFIG_DEFENSIVE: 1,
	} {
		if rc := lib.Xsqlite3_db_config(c.tls, c.db, op, libc.VaList(c.scratch, on, uintptr(0))); rc != lib.SQLITE_OK {
			err := c.fail(rc)
			_ = c.Close()
			return nil, err
		}
	}
	return c, nil
}

// Close releases the connection. Its statements must be closed before.
func (c *Conn) Close() error {
	var err error
	if c.db != 0 {
		conns.Delete(c.db)
		if rc := lib.Xsqlite3_close_v2(c.tls, c.db); rc != lib.SQLITE_OK {
			err = c.fail(rc)
		}
		c.db = 0
	}
	c.release()
	return err
}

func (c *Conn) release() {
	lib.Xsqlite3_free(c.tls, c.scratch)
	lib.Xsqlite3_free(c.tls, c.arena)
	c.scratch, c.arena, c.arenaSize = 0, 0, 0
	c.tls.Close()
}

// Run prepares and executes one statement without arguments.
func (c *Conn) Run(sql string) error {
	s, err := c.Prepare(sql)
	if err != nil {
		return err
	}
	err = s.Run()
	s.Close()
	return err
}

// InTransaction reports whether a BEGIN is in effect. An error may end a
// transaction by itself.
func (c *Conn) InTransaction() bool { return lib.Xsqlite3_get_autocommit(c.tls, c.db) == 0 }

// Changes is how many rows the last statement that wrote has changed.
func (c *Conn) Changes() int64 { return lib.Xsqlite3_changes64(c.tls, c.db) }

// TotalChanges is how many rows the connection has changed since it opened.
func (c *Conn) TotalChanges() int64 { return lib.Xsqlite3_total_changes64(c.tls, c.db) }

// DanglingKeys reports whether rows written in this transaction refer to rows
// that do not exist, by constraints that are checked at the commit.
func (c *Conn) DanglingKeys() bool {
	current, high := c.scratch, c.scratch+8
	rc := lib.Xsqlite3_db_status(c.tls, c.db, lib.SQLITE_DBSTATUS_DEFERRED_FKS, current, high, 0)
	return rc == lib.SQLITE_OK && *(*int32)(pointer(current)) != 0
}

// ReadOnly reports whether the file can only be read.
func (c *Conn) ReadOnly() bool { return lib.Xsqlite3_db_readonly(c.tls, c.db, 0) == 1 }

// onProgress stops the statement when it answers 1.
func onProgress(_ *libc.TLS, db uintptr) int32 {
	if c, ok := conns.Load(db); ok && c.(*Conn).ended() {
		return 1
	}
	return 0
}

// onBusy waits for another connection's lock; 0 gives up.
func onBusy(_ *libc.TLS, db uintptr, attempt int32) int32 {
	found, ok := conns.Load(db)
	if !ok {
		return 0
	}
	c := found.(*Conn)
	if attempt == 0 {
		c.busySince = time.Now()
	}
	if c.ended() || time.Since(c.busySince) >= c.BusyWait {
		return 0
	}
	time.Sleep(min(time.Duration(attempt+1)*time.Millisecond, 25*time.Millisecond))
	return 1
}

// ended looks at the deadline too: a context may arm its timer only when
// somebody asks for Done, and nobody here does.
func (c *Conn) ended() bool {
	if c.Ctx == nil {
		return false
	}
	if c.Ctx.Err() != nil {
		return true
	}
	deadline, ok := c.Ctx.Deadline()
	return ok && !time.Now().Before(deadline)
}

// fail reads the error that the last call left on the connection.
func (c *Conn) fail(rc int32) error {
	var msg string
	if c.db != 0 {
		msg = libc.GoString(lib.Xsqlite3_errmsg(c.tls, c.db))
	} else {
		msg = libc.GoString(lib.Xsqlite3_errstr(c.tls, rc))
	}
	return &Error{Code: int(rc), Msg: msg, File: c.path}
}

// pointer turns the address of C memory into a pointer. Such memory is not
// the garbage collector's, which the usual conversion cannot know.
func pointer(p uintptr) unsafe.Pointer { return *(*unsafe.Pointer)(unsafe.Pointer(&p)) }

// callback is the address by which C calls f, which must be a declared
// function: a closure has no lasting one.
func callback[F any](f F) uintptr { return *(*uintptr)(unsafe.Pointer(&struct{ f F }{f})) }
