package native

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unsafe"

	"modernc.org/libc"
	lib "modernc.org/sqlite/lib"
)

// Stmt is one prepared statement.
type Stmt struct {
	// Args is how many arguments the statement needs.
	Args int
	// Positional is set when the statement uses ? instead of $N.
	Positional bool
	// ReadOnly is set when running it cannot write to the database.
	ReadOnly bool
	// Columns are the names of its result's columns. The slice is never
	// changed, only replaced when the schema has changed.
	Columns []string
	// Declared are the upper-case types that the tables declare for the
	// columns, "" for expressions.
	Declared []string

	conn     *Conn
	stmt     uintptr
	places   []int // the argument of each of SQLite's parameters, from 0
	compiled int32 // how often SQLite had compiled it again when it was described
}

// ErrNoStatement is answered for a text of blanks and comments.
var ErrNoStatement = errors.New("the SQL text holds no statement")

// ErrManyStatements is answered for a text of more than one statement.
var ErrManyStatements = errors.New("the SQL text holds more than one statement: run them one by one")

// Prepare compiles the one statement in sql. Placeholders are $1, $2 … which
// SQLite knows as names: it finds them itself, whatever literals and comments
// stand around, and they are numbered here.
func (c *Conn) Prepare(sql string) (*Stmt, error) {
	if strings.IndexByte(sql, 0) >= 0 {
		return nil, errors.New("the SQL text holds a zero byte")
	}
	text, err := libc.CString(sql)
	if err != nil {
		return nil, err
	}
	defer libc.Xfree(c.tls, text)
	s := &Stmt{conn: c}
	tail := c.scratch + 8
	if rc := lib.Xsqlite3_prepare_v3(c.tls, c.db, text, -1, lib.SQLITE_PREPARE_PERSISTENT, c.scratch, tail); rc != lib.SQLITE_OK {
		return nil, c.fail(rc)
	}
	s.stmt = *(*uintptr)(pointer(c.scratch))
	if s.stmt == 0 {
		return nil, ErrNoStatement
	}
	rest := int(*(*uintptr)(pointer(tail)) - text)
	if err := c.nothingIn(sql[min(rest, len(sql)):], text+uintptr(rest)); err != nil {
		s.Close()
		return nil, err
	}
	if err := s.number(); err != nil {
		s.Close()
		return nil, err
	}
	s.ReadOnly = lib.Xsqlite3_stmt_readonly(c.tls, s.stmt) != 0
	s.describe()
	return s, nil
}

// nothingIn refuses a second statement after the first one.
func (c *Conn) nothingIn(rest string, at uintptr) error {
	if strings.TrimSpace(rest) == "" {
		return nil
	}
	rc := lib.Xsqlite3_prepare_v3(c.tls, c.db, at, -1, 0, c.scratch, 0)
	if rc != lib.SQLITE_OK {
		return ErrManyStatements
	}
	if second := *(*uintptr)(pointer(c.scratch)); second != 0 {
		lib.Xsqlite3_finalize(c.tls, second)
		return ErrManyStatements
	}
	return nil
}

// number maps SQLite's parameters, which it counts by first appearance, to
// the arguments they name.
func (s *Stmt) number() error {
	count := int(lib.Xsqlite3_bind_parameter_count(s.conn.tls, s.stmt))
	s.places = make([]int, count)
	for i := range count {
		name := lib.Xsqlite3_bind_parameter_name(s.conn.tls, s.stmt, int32(i+1))
		if name == 0 {
			s.Positional = true
			s.places[i] = i
			s.Args = max(s.Args, i+1)
			continue
		}
		text := libc.GoString(name)
		n, err := strconv.Atoi(strings.TrimPrefix(text, "$"))
		if err != nil || text[0] != '$' || n < 1 || n > 32766 {
			return fmt.Errorf("placeholder %s: they are written $1, $2 and so on (a cast is CAST($1 AS type))", text)
		}
		s.places[i] = n - 1
		s.Args = max(s.Args, n)
	}
	return nil
}

func (s *Stmt) describe() {
	count := int(lib.Xsqlite3_column_count(s.conn.tls, s.stmt))
	s.Columns = make([]string, count)
	s.Declared = make([]string, count)
	for i := range count {
		s.Columns[i] = libc.GoString(lib.Xsqlite3_column_name(s.conn.tls, s.stmt, int32(i)))
		if p := lib.Xsqlite3_column_decltype(s.conn.tls, s.stmt, int32(i)); p != 0 {
			s.Declared[i] = strings.ToUpper(libc.GoString(p))
		}
	}
}

// Close frees the statement.
func (s *Stmt) Close() {
	lib.Xsqlite3_finalize(s.conn.tls, s.stmt)
	s.stmt = 0
}

// Params is how many parameters SQLite sees.
func (s *Stmt) Params() int { return len(s.places) }

// Place is the argument (from 0) that parameter i (from 0) takes.
func (s *Stmt) Place(i int) int { return s.places[i] }

// maxArguments keeps sizes within C's int, far above what belongs in a row.
const maxArguments = 1 << 30

// Reserve makes room for size bytes of text and blob arguments. It comes
// before the first Bind of an execution and ends the life of the arguments of
// the connection's statement before.
func (c *Conn) Reserve(size int) error {
	c.arenaUsed = 0
	if size <= c.arenaSize {
		return nil
	}
	if size > maxArguments {
		return fmt.Errorf("arguments of %d bytes: at most %d fit one statement", size, maxArguments)
	}
	lib.Xsqlite3_free(c.tls, c.arena)
	c.arenaSize = max(2*c.arenaSize, size, 4096)
	c.arena = lib.Xsqlite3_malloc64(c.tls, uint64(c.arenaSize))
	if c.arena == 0 {
		c.arenaSize = 0
		return &Error{Code: lib.SQLITE_NOMEM, Msg: "out of memory"}
	}
	return nil
}

// keep copies an argument to where C may read it until the next Reserve.
func (c *Conn) keep(data []byte) uintptr {
	if len(data) == 0 {
		return c.scratch // any address but NULL, which would bind NULL
	}
	if len(data) > c.arenaSize-c.arenaUsed {
		panic("native: more bytes bound than reserved")
	}
	at := c.arena + uintptr(c.arenaUsed)
	copy(unsafe.Slice((*byte)(pointer(at)), len(data)), data)
	c.arenaUsed += len(data)
	return at
}

// BindNull and the other Bind methods set parameter i, from 0.
func (s *Stmt) BindNull(i int) error {
	return s.bound(lib.Xsqlite3_bind_null(s.conn.tls, s.stmt, int32(i+1)))
}

// BindInt sets a parameter to an integer.
func (s *Stmt) BindInt(i int, v int64) error {
	return s.bound(lib.Xsqlite3_bind_int64(s.conn.tls, s.stmt, int32(i+1), v))
}

// BindFloat sets a parameter to a float.
func (s *Stmt) BindFloat(i int, v float64) error {
	return s.bound(lib.Xsqlite3_bind_double(s.conn.tls, s.stmt, int32(i+1), v))
}

// BindText sets a parameter to text, for which Reserve has made room.
func (s *Stmt) BindText(i int, v string) error {
	return s.BindTextBytes(i, unsafe.Slice(unsafe.StringData(v), len(v)))
}

// BindTextBytes is BindText for text in a buffer, which may be reused at once.
func (s *Stmt) BindTextBytes(i int, v []byte) error {
	at := s.conn.keep(v)
	return s.bound(lib.Xsqlite3_bind_text(s.conn.tls, s.stmt, int32(i+1), at, int32(len(v)), lib.SQLITE_STATIC))
}

// BindBlob sets a parameter to bytes, for which Reserve has made room.
func (s *Stmt) BindBlob(i int, v []byte) error {
	at := s.conn.keep(v)
	return s.bound(lib.Xsqlite3_bind_blob(s.conn.tls, s.stmt, int32(i+1), at, int32(len(v)), lib.SQLITE_STATIC))
}

func (s *Stmt) bound(rc int32) error {
	if rc != lib.SQLITE_OK {
		return s.conn.fail(rc)
	}
	return nil
}

// Step runs the statement to its next row, or to its end. After an error or
// the end the statement must be Reset.
func (s *Stmt) Step() (row bool, err error) {
	switch rc := lib.Xsqlite3_step(s.conn.tls, s.stmt); rc {
	case lib.SQLITE_ROW:
		return true, nil
	case lib.SQLITE_DONE:
		return false, nil
	default:
		return false, s.conn.fail(rc)
	}
}

// Renew describes the columns anew if SQLite has compiled the statement again
// because the schema had changed, and reports whether it has. Call it after the
// first Step.
func (s *Stmt) Renew() bool {
	compiled := lib.Xsqlite3_stmt_status(s.conn.tls, s.stmt, lib.SQLITE_STMTSTATUS_REPREPARE, 0)
	if compiled == s.compiled {
		return false
	}
	s.compiled = compiled
	s.describe()
	return true
}

// Reset makes the statement ready to run again. An error of the execution was
// Step's to report.
func (s *Stmt) Reset() { lib.Xsqlite3_reset(s.conn.tls, s.stmt) }

// Run executes a statement without arguments to its end.
func (s *Stmt) Run() error {
	for {
		row, err := s.Step()
		if err != nil || !row {
			s.Reset()
			return err
		}
	}
}

// Storage is how a value is kept.
type Storage int32

// The storage classes of SQLite.
const (
	Integer Storage = lib.SQLITE_INTEGER
	Float   Storage = lib.SQLITE_FLOAT
	Text    Storage = lib.SQLITE_TEXT
	Blob    Storage = lib.SQLITE_BLOB
	Null    Storage = lib.SQLITE_NULL
)

// Storage is the class of column i of the current row, from 0.
func (s *Stmt) Storage(i int) Storage {
	return Storage(lib.Xsqlite3_column_type(s.conn.tls, s.stmt, int32(i)))
}

// Int is column i as an integer.
func (s *Stmt) Int(i int) int64 { return lib.Xsqlite3_column_int64(s.conn.tls, s.stmt, int32(i)) }

// Float is column i as a float.
func (s *Stmt) Float(i int) float64 {
	return lib.Xsqlite3_column_double(s.conn.tls, s.stmt, int32(i))
}

// Raw are the bytes of a text or a blob, only until the next Step or Reset.
func (s *Stmt) Raw(i int) []byte {
	// The blob of a text is the text: all databases here are UTF-8, and
	// asking for text would copy it to append a zero byte.
	p := lib.Xsqlite3_column_blob(s.conn.tls, s.stmt, int32(i))
	n := lib.Xsqlite3_column_bytes(s.conn.tls, s.stmt, int32(i))
	if p == 0 || n == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(pointer(p)), int(n))
}
