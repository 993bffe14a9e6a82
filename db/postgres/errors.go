package postgres

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/ashlar-go/ashlar/db"
	"github.com/ashlar-go/ashlar/fault"
)

// What the server says by its five signs.
const (
	codeUnique        = "23505"
	codeForeignKey    = "23503"
	codeCheck         = "23514"
	codeNotNull       = "23502"
	codeSerialization = "40001"
	codeDeadlock      = "40P01"
	codeReadOnly      = "25006"
	codeAborted       = "25P02"
	codeCanceled      = "57014"
	codeLocked        = "55P03"
	codeUnsupported   = "0A000"
	codeNoStatement   = "26000"
	codeDiskFull      = "53100"
	codeOutOfMemory   = "53200"
	codeTooMany       = "53300"
	codeShutdown      = "57P01"
	codeCrash         = "57P02"
	codeStarting      = "57P03"
	codeIdleSession   = "57P05"
	codeIdleInTx      = "25P03"
	codeDropped       = "57P04"
	codeIO            = "58030"
	codePassword      = "28P01"
	codeAuthorization = "28000"
	codeNoDatabase    = "3D000"
	classConnection   = "08"
	classData         = "22"
	staleResult       = "cached plan must not change result type"
)

// refusal is an error of the server, whose text may be shown in a log: what a
// statement's data had in it is left out.
type refusal struct{ pg *pgconn.PgError }

func (r *refusal) Error() string {
	if strings.HasPrefix(r.pg.Code, classData) {
		// "invalid input syntax for type bigint: …" goes on with the input.
		said, _, _ := strings.Cut(r.pg.Message, ":")
		if strings.ContainsAny(said, `"'`) {
			said = "a value was refused"
		}
		return said + " (SQLSTATE " + r.pg.Code + ")"
	}
	return r.pg.Message + " (SQLSTATE " + r.pg.Code + ")"
}

func (r *refusal) Unwrap() error { return r.pg }

// failed adds the statement to an error and puts it into db's classes. The
// arguments never show: they may be secret.
func (l *link) failed(ctx context.Context, err error, sql string) error {
	pg, ok := errors.AsType[*pgconn.PgError](err)
	if !ok {
		return l.lost(ctx, err, sql)
	}
	where := fmt.Errorf("db/postgres: %w in %s", &refusal{pg}, brief(sql))
	switch pg.Code {
	case codeUnique:
		return constraint(db.Unique, pg, where)
	case codeForeignKey:
		return constraint(db.ForeignKey, pg, where)
	case codeCheck:
		return constraint(db.Check, pg, where)
	case codeNotNull:
		return constraint(db.NotNull, pg, where)
	case codeSerialization, codeDeadlock:
		return fmt.Errorf("%w: %w", db.ErrConflict, where)
	case codeLocked:
		return fmt.Errorf("%w: %w", db.ErrBusy, where)
	case codeCanceled:
		if e := ctx.Err(); e != nil {
			return fmt.Errorf("db/postgres: %w while running %s", e, brief(sql))
		}
		return l.unavailable(where)
	case codeUnsupported:
		switch {
		case pg.Message == staleResult:
			return l.outdated(where, sql)
		case strings.HasPrefix(sql, "begin"):
			return l.demoted(where)
		}
	case codeReadOnly:
		if l.pg.ParameterStatus("in_hot_standby") == "on" && !l.standby {
			return l.demoted(where)
		}
		return fmt.Errorf("%w: %w", errReadOnly, where)
	case codeNoStatement:
		return l.outdated(where, sql)
	case codeShutdown, codeCrash, codeStarting, codeDropped:
		l.gone = true
		return l.unavailable(where)
	case codeDiskFull, codeOutOfMemory, codeTooMany, codeIdleSession, codeIdleInTx, codeIO:
		return l.unavailable(where)
	}
	if strings.HasPrefix(pg.Code, classConnection) {
		return l.unavailable(where)
	}
	return where
}

// lost is an error of the connection, or the end of ctx.
func (l *link) lost(ctx context.Context, err error, sql string) error {
	ended := ctx.Err()
	switch {
	case errors.Is(ended, context.Canceled):
		return fmt.Errorf("db/postgres: %w while running %s", ended, brief(sql))
	case errors.Is(err, context.DeadlineExceeded) && !l.pg.IsClosed():
		return fmt.Errorf("db/postgres: %w before running %s", err, brief(sql)) // nothing was sent
	case ended != nil:
		// The server was asked to stop, and did not even answer that.
		return l.unavailable(fmt.Errorf("db/postgres: no answer to %s: %w", brief(sql), ended))
	case errors.Is(err, os.ErrDeadlineExceeded):
		return l.unavailable(fmt.Errorf("db/postgres: no answer to %s within %s", brief(sql), l.limit))
	}
	if !l.pg.IsClosed() {
		return fmt.Errorf("db/postgres: %w in %s", err, brief(sql))
	}
	l.gone = true
	return l.unavailable(fmt.Errorf("db/postgres: the connection broke: %w in %s", plain(err), brief(sql)))
}

// unavailable is what passes by itself or by an operator's hand.
func (l *link) unavailable(err error) error {
	return fault.ErrUnavailable.Wrap(fmt.Errorf("%w: server %s", err, l.server))
}

// plain drops what says nothing from a network error.
func plain(err error) error {
	if op, ok := errors.AsType[*net.OpError](err); ok {
		return op.Err
	}
	return err
}

// errReadOnly is the server's word that a statement writes where none may.
var errReadOnly = errors.New("db/postgres: the transaction is read-only")

// readOnly answers a statement that writes where none may with db's own error.
func readOnly(err, answer error) error {
	if errors.Is(err, errReadOnly) {
		return answer
	}
	return err
}

// demoted is a server that only reads though it was the primary once.
func (l *link) demoted(err error) error {
	l.gone = true
	return l.unavailable(fmt.Errorf("%w: the server is a standby now, which only reads", err))
}

// errOutdated means that a statement was prepared for a schema that has changed
// since, or is not known to this server's process any more. It has had no
// effect, and works when it is prepared again.
var errOutdated = fmt.Errorf("%w: a statement was prepared for the schema as it was before", db.ErrConflict)

// outdated has the statement prepared again when it is used next. The server
// forgets the old one with the connection.
func (l *link) outdated(err error, sql string) error {
	delete(l.statements, sql)
	return fmt.Errorf("%w: %w", errOutdated, err)
}

// constraint reads the columns from the server's detail, which says in any
// language: "Key (shop, code)=(…) …". The values stay out of the error.
func constraint(kind db.Kind, pg *pgconn.PgError, cause error) error {
	c := &db.Constraint{Kind: kind, Name: pg.ConstraintName, Table: pg.TableName, Cause: cause}
	switch kind {
	case db.NotNull:
		c.Columns = []string{pg.ColumnName}
	case db.ForeignKey, db.Check:
	case db.Unique:
		_, rest, _ := strings.Cut(pg.Detail, "(")
		if list, _, ok := strings.Cut(rest, ")=("); ok && !strings.ContainsAny(list, "()") {
			for name := range strings.SplitSeq(list, ", ") {
				c.Columns = append(c.Columns, strings.Trim(name, `"`))
			}
		}
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
