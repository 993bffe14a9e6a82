package sqlite

import "strings"

// unlocked takes the locking clauses of PostgreSQL out of a statement: FOR
// UPDATE, FOR NO KEY UPDATE, FOR SHARE or FOR KEY SHARE, then OF and tables,
// then NOWAIT or SKIP LOCKED, at the end of a SELECT. Blanks take their place,
// so that a position in the text stays what it was. What stands in a string, a
// quoted name or a comment is no clause.
func unlocked(sql string) string {
	if !strings.Contains(strings.ToUpper(sql), "FOR") {
		return sql
	}
	words := wordsOf(sql)
	var out []byte
	for i := 0; i < len(words); i++ {
		n := clause(words[i:])
		if n == 0 {
			continue
		}
		if out == nil {
			out = []byte(sql)
		}
		for j := words[i].at; j < words[i+n-1].end; j++ {
			if out[j] != '\n' {
				out[j] = ' '
			}
		}
		i += n - 1
	}
	if out == nil {
		return sql
	}
	return string(out)
}

// word is a piece of a statement: a keyword or a name in capitals, or one sign.
// Strings, quoted names and parameters are the sign they begin with.
type word struct {
	text    string
	at, end int
}

// clause is how many of the first words are a locking clause, or 0.
func clause(words []word) int {
	is := func(i int, text string) bool { return i < len(words) && words[i].text == text }
	n := 0
	switch {
	case !is(0, "FOR"):
		return 0
	case is(1, "UPDATE"), is(1, "SHARE"):
		n = 2
	case is(1, "KEY") && is(2, "SHARE"):
		n = 3
	case is(1, "NO") && is(2, "KEY") && is(3, "UPDATE"):
		n = 4
	default:
		return 0
	}
	if is(n, "OF") {
		n += 2
		for is(n, ",") || is(n, ".") {
			n += 2 // it and the name that follows
		}
	}
	switch {
	case is(n, "NOWAIT"):
		n++
	case is(n, "SKIP") && is(n+1, "LOCKED"):
		n += 2
	}
	if n > len(words) || n < len(words) && !is(n, ")") && !is(n, ";") && !is(n, "FOR") {
		return 0
	}
	return n
}

func wordsOf(sql string) []word {
	var words []word
	for i := 0; i < len(sql); {
		from := i
		switch c := sql[i]; {
		case c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f':
			i++
			continue
		case strings.HasPrefix(sql[i:], "--"):
			i = until(sql, i+2, "\n")
			continue
		case strings.HasPrefix(sql[i:], "/*"):
			i = until(sql, i+2, "*/")
			continue
		case c == '\'' || c == '"' || c == '`':
			i = until(sql, i+1, sql[i:i+1]) // a doubled quote begins the next piece
		case c == '[':
			i = until(sql, i+1, "]")
		case named(c):
			for i < len(sql) && (named(sql[i]) || sql[i] >= '0' && sql[i] <= '9') {
				i++
			}
			words = append(words, word{strings.ToUpper(sql[from:i]), from, i})
			continue
		default:
			i++
		}
		words = append(words, word{sql[from : from+1], from, i})
	}
	return words
}

// until is the place after the next end in sql, or the end of sql.
func until(sql string, from int, end string) int {
	if n := strings.Index(sql[from:], end); n >= 0 {
		return from + n + len(end)
	}
	return len(sql)
}

func named(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || c == '$' || c >= 0x80
}
