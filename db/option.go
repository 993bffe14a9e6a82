package db

// TxOption changes how [InTx] runs a transaction. Options combine.
type TxOption uint8

const (
	// ReadCommitted is a loose setting: transactions that run at the same time
	// no longer have the effect of some order one after the other. Each
	// statement sees what was committed before it, so that a row may have
	// changed between the statement that read it and the one that relies on
	// it. The function guards what it read: by a version in the condition of
	// the UPDATE, by a lock (SELECT … FOR UPDATE), or by doing it in a single
	// statement. In return it seldom loses to another transaction, and what it
	// locks it gets after a wait, where it would otherwise be run again.
	// SQLite ignores it: there, one transaction writes at a time.
	ReadCommitted TxOption = 1 << iota
	// ReadOnly gives the function one state of the database for all of its
	// statements, as it was at the first one. It waits for no writer and none
	// waits for it, and it never loses to another transaction. A statement
	// that writes answers [ErrReadOnly].
	ReadOnly
)

// Has reports whether all of others are among the options.
func (o TxOption) Has(others TxOption) bool { return o&others == others }
