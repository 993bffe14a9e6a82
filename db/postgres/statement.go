package postgres

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

// statement is an SQL text as a connection knows it. Behind a pooler it is the
// text alone.
type statement struct {
	sql     string
	desc    *pgconn.StatementDescription // nil behind a pooler
	columns []column
	names   []string
	formats []int16
	used    uint64 // the connection's clock at the last use
}

// maxStatements bounds what one connection has prepared. Each takes memory
// here and, more of it, in the server; programs have hundreds of statements,
// not thousands.
const maxStatements = 512

// The statements of the adapter's own, which every connection has prepared
// under these names.
const (
	beginSerializable  = "begin isolation level serializable, read write"
	beginReadCommitted = "begin isolation level read committed, read write"
	beginSnapshot      = "begin isolation level repeatable read, read only"
	beginQuery         = "begin isolation level read committed, read only"
	commit             = "commit"
	rollback           = "rollback"
)

var own = [...]string{beginSerializable, beginReadCommitted, beginSnapshot, commit, rollback}

// prepare finds the statement for an application's SQL text, or has the server
// prepare it, which takes a round trip.
func (l *link) prepare(ctx context.Context, sql string) (*statement, error) {
	l.clock++
	if s := l.statements[sql]; s != nil {
		s.used = l.clock
		return s, nil
	}
	if err := allowed(sql); err != nil {
		return nil, err
	}
	s := &statement{sql: sql, used: l.clock}
	if !l.pooler {
		l.arm()
		l.number++
		desc, err := l.pg.Prepare(ctx, "s"+strconv.FormatUint(l.number, 36), sql, nil)
		if err != nil {
			return nil, l.failed(ctx, err, sql)
		}
		s.describe(desc)
	}
	if len(l.statements) >= maxStatements {
		if err := l.evict(ctx); err != nil {
			return nil, err
		}
	}
	l.statements[sql] = s
	return s, nil
}

func (s *statement) describe(desc *pgconn.StatementDescription) {
	s.desc = desc
	for i := range desc.Fields {
		f := &desc.Fields[i]
		s.columns = append(s.columns, column{name: f.Name, oid: f.DataTypeOID, format: formatOf(f.DataTypeOID)})
	}
	for _, c := range s.columns {
		s.names = append(s.names, c.name)
		s.formats = append(s.formats, c.format)
	}
}

// evict forgets the statement that was not used for the longest time.
func (l *link) evict(ctx context.Context) error {
	var oldest *statement
	for _, s := range l.statements {
		if oldest == nil || s.used < oldest.used {
			oldest = s
		}
	}
	return l.forget(ctx, oldest)
}

// forget drops a statement here and in the server.
func (l *link) forget(ctx context.Context, s *statement) error {
	delete(l.statements, s.sql)
	if s.desc == nil {
		return nil
	}
	l.arm()
	if err := l.pg.Deallocate(ctx, s.desc.Name); err != nil {
		return l.failed(ctx, err, "DEALLOCATE")
	}
	return nil
}

// forbidden are the statements that would pull a connection from under its
// other users, and what to do instead.
var forbidden = map[string]string{
	"BEGIN":      "use db.InTx",
	"START":      "use db.InTx",
	"COMMIT":     "use db.InTx",
	"END":        "use db.InTx",
	"ROLLBACK":   "use db.InTx and return an error",
	"ABORT":      "use db.InTx and return an error",
	"SAVEPOINT":  "use db.InTx",
	"RELEASE":    "use db.InTx",
	"PREPARE":    "every statement is prepared",
	"DEALLOCATE": "statements are kept for you",
	"DISCARD":    "connections are shared",
	"LISTEN":     "connections are shared",
	"UNLISTEN":   "connections are shared",
	"COPY":       "use INSERT",
	"RESET":      "connections are shared",
}

// allowed refuses a text without a statement, and one that must not run on a
// connection that others use next.
func allowed(sql string) error {
	word, rest := firstWord(sql)
	if word == "" && rest == "" {
		return errors.New("db/postgres: the SQL text holds no statement")
	}
	if instead := forbidden[word]; instead != "" {
		return fmt.Errorf("db/postgres: %s is not for statements: %s", word, instead)
	}
	if next, _ := firstWord(rest); word == "SET" && next != "LOCAL" && next != "CONSTRAINTS" {
		return errors.New("db/postgres: SET is not for statements, connections are shared: use SET LOCAL in a transaction, or a parameter of the URL")
	}
	return nil
}

// firstWord is the keyword of a statement, in capitals, after blanks and
// comments, and what follows it.
func firstWord(sql string) (word, rest string) {
	for {
		sql = strings.TrimLeft(sql, " \t\r\n\f;")
		switch {
		case strings.HasPrefix(sql, "--"):
			_, sql, _ = strings.Cut(sql, "\n")
		case strings.HasPrefix(sql, "/*"):
			sql = afterComment(sql[2:])
		default:
			end := strings.IndexFunc(sql, func(r rune) bool { return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') })
			if end < 0 {
				end = len(sql)
			}
			return strings.ToUpper(sql[:end]), sql[end:]
		}
	}
}

// afterComment is what follows a comment, in which others may be nested.
func afterComment(sql string) string {
	for depth := 1; depth > 0; {
		end := strings.Index(sql, "*/")
		if end < 0 {
			return ""
		}
		if start := strings.Index(sql[:end], "/*"); start >= 0 {
			depth++
			sql = sql[start+2:]
			continue
		}
		depth--
		sql = sql[end+2:]
	}
	return sql
}
