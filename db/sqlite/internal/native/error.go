package native

import lib "modernc.org/sqlite/lib"

// Error is a failed call of the library.
type Error struct {
	Code int // extended result code
	Msg  string
	File string // the database of the connection that failed, if one did
}

// Error is SQLite's own message.
func (e *Error) Error() string { return e.Msg }

// Primary is the result code without its extension.
func (e *Error) Primary() int { return e.Code & 0xff }

// The result codes that the adapter tells apart.
const (
	Busy      = lib.SQLITE_BUSY
	Locked    = lib.SQLITE_LOCKED
	ReadOnly  = lib.SQLITE_READONLY
	Interrupt = lib.SQLITE_INTERRUPT
	IOError   = lib.SQLITE_IOERR
	Corrupt   = lib.SQLITE_CORRUPT
	Full      = lib.SQLITE_FULL
	CantOpen  = lib.SQLITE_CANTOPEN
	NotADB    = lib.SQLITE_NOTADB

	ConstraintUnique     = lib.SQLITE_CONSTRAINT_UNIQUE
	ConstraintPrimaryKey = lib.SQLITE_CONSTRAINT_PRIMARYKEY
	ConstraintRowID      = lib.SQLITE_CONSTRAINT_ROWID
	ConstraintForeignKey = lib.SQLITE_CONSTRAINT_FOREIGNKEY
	ConstraintCheck      = lib.SQLITE_CONSTRAINT_CHECK
	ConstraintNotNull    = lib.SQLITE_CONSTRAINT_NOTNULL
)
