package sqlite

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/ashlar-go/ashlar/db"
	"github.com/ashlar-go/ashlar/db/sqlite/internal/native"
	"github.com/ashlar-go/ashlar/fault"
)

// failed adds the statement to an error and puts it into db's classes. The
// arguments never show: they may be secret.
func failed(err error, sql string) error {
	n, ok := errors.AsType[*native.Error](err)
	if !ok {
		return fmt.Errorf("db/sqlite: %w in %s", err, brief(sql))
	}
	where := fmt.Errorf("db/sqlite: %w in %s", err, brief(sql))
	switch n.Code {
	case native.ConstraintUnique, native.ConstraintPrimaryKey, native.ConstraintRowID:
		return constraint(db.Unique, n.Msg, where)
	case native.ConstraintForeignKey:
		return constraint(db.ForeignKey, n.Msg, where)
	case native.ConstraintCheck:
		return constraint(db.Check, n.Msg, where)
	case native.ConstraintNotNull:
		return constraint(db.NotNull, n.Msg, where)
	}
	switch n.Primary() {
	case native.Busy, native.Locked:
		return fmt.Errorf("%w: %w: another process holds the file %s", db.ErrBusy, where, n.File)
	}
	if outage(n) {
		return fault.ErrUnavailable.Wrap(fmt.Errorf("%w: file %s", where, n.File))
	}
	return where
}

// outage reports whether the file cannot be used now, though nothing is wrong
// with the statement.
func outage(n *native.Error) bool {
	switch n.Primary() {
	case native.Full, native.IOError, native.ReadOnly, native.CantOpen:
		return true
	}
	return false
}

// unusable is explain for a database that was open already: what happens to its
// file now is an outage, and no mistake in the configuration.
func unusable(err error, file string, waited time.Duration) error {
	explained := explain(err, file, waited)
	if n, ok := errors.AsType[*native.Error](err); ok && outage(n) {
		return fault.ErrUnavailable.Wrap(explained)
	}
	return explained
}

// explain says what an error about the file as a whole means, and what to do.
func explain(err error, file string, waited time.Duration) error {
	n, ok := errors.AsType[*native.Error](err)
	if !ok {
		return fmt.Errorf("db/sqlite: %s: %w", file, err)
	}
	switch n.Primary() {
	case native.Busy, native.Locked:
		return fmt.Errorf("%w: db/sqlite: %s: another process holds the file (waited %s): stop it, or let both run and keep transactions short: %w", db.ErrBusy, file, waited, err)
	case native.ReadOnly:
		return fmt.Errorf("db/sqlite: %s: not writable by this user: change the owner or the mode of the file and of its directory: %w", file, err)
	case native.CantOpen:
		return fmt.Errorf("db/sqlite: %s: cannot be opened: check that this user may read and write the file and its directory: %w", file, err)
	case native.NotADB:
		return fmt.Errorf("db/sqlite: %s: not a SQLite database: move the file away, or set another path: %w", file, err)
	case native.Corrupt:
		return fmt.Errorf("db/sqlite: %s: damaged: restore a backup: %w", file, err)
	case native.Full:
		return fmt.Errorf("db/sqlite: %s: the disk is full: %w", file, err)
	case native.IOError:
		return fmt.Errorf("db/sqlite: %s: the disk failed: %w", file, err)
	}
	return fmt.Errorf("db/sqlite: %s: %w", file, err)
}

// interrupted makes the end of ctx the error when that is what stopped the
// statement.
func interrupted(ctx context.Context, err error, sql string) error {
	n, ok := errors.AsType[*native.Error](err)
	if !ok || n.Primary() != native.Interrupt {
		return failed(err, sql)
	}
	return fmt.Errorf("db/sqlite: %w while running %s", cmp.Or(ended(ctx), context.DeadlineExceeded), brief(sql))
}

// ended is ctx.Err, and does not depend on the timer of a deadline: it may
// fire late, or nobody may have armed it.
func ended(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if deadline, ok := ctx.Deadline(); ok && !time.Now().Before(deadline) {
		return context.DeadlineExceeded
	}
	return nil
}

// notLocked is why BEGIN failed: the end of ctx, or what the file says.
func notLocked(ctx context.Context, err error, file string, waited time.Duration) error {
	if e := ended(ctx); e != nil {
		return fmt.Errorf("db/sqlite: waiting for the lock of %s: %w", file, e)
	}
	return unusable(err, file, waited)
}

// constraint reads the place from SQLite's message: "UNIQUE constraint failed:
// users.email, users.shop", "… failed: index 'users_lower'", "CHECK constraint
// failed: positive".
func constraint(kind db.Kind, msg string, cause error) error {
	c := &db.Constraint{Kind: kind, Cause: cause}
	_, place, ok := strings.Cut(msg, "failed: ")
	if !ok {
		return c
	}
	if index, ok := strings.CutPrefix(place, "index '"); ok {
		c.Name = strings.TrimSuffix(index, "'")
		return c
	}
	if kind == db.Check {
		c.Name = place
		return c
	}
	for p := range strings.SplitSeq(place, ", ") {
		table, column, ok := strings.Cut(p, ".")
		if !ok {
			c.Name = place
			return c
		}
		c.Table = table
		c.Columns = append(c.Columns, column)
	}
	return c
}

// brief is one line of a statement's text, to find it in the source.
func brief(sql string) string {
	const most = 120
	line := strings.Join(strings.Fields(sql), " ")
	if len(line) > most {
		line = strings.ToValidUTF8(line[:most], "") + "…"
	}
	return fmt.Sprintf("%q", line)
}
