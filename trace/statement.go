package trace

import "strings"

// maxStatement bounds the text of a statement that is exported, in bytes.
const maxStatement = 2 << 10

// withoutValues returns an SQL statement on one line and with ? for each
// literal and each quoted name, which may be one: a program should use
// placeholders, and one that does not must not have its values exported. What is not understood, such as a text without an
// end, is left out.
func withoutValues(sql string) string {
	var b strings.Builder
	b.Grow(min(len(sql), maxStatement))
	word := false // the last byte belongs to a name or a placeholder
	for i := 0; i < len(sql) && b.Len() < maxStatement; {
		c := sql[i]
		switch {
		case c <= ' ':
			if b.Len() > 0 && !strings.HasSuffix(b.String(), " ") {
				b.WriteByte(' ')
			}
			i++
		case c == '\'' || c == '"' || c == '`': // SQLite takes "a" for a text where no column is called a
			i = quoted(sql, i)
			b.WriteByte('?')
		case c == '$' && dollarTag(sql[i:]) != "":
			tag := dollarTag(sql[i:])
			i += len(tag)
			if end := strings.Index(sql[i:], tag); end >= 0 {
				i += end + len(tag)
			} else {
				i = len(sql)
			}
			b.WriteByte('?')
		case strings.HasPrefix(sql[i:], "--"):
			i = after(sql, i, "\n")
		case strings.HasPrefix(sql[i:], "/*"):
			i = after(sql, i, "*/")
		case isDigit(c) && !word, c == '.' && !word && i+1 < len(sql) && isDigit(sql[i+1]):
			for i < len(sql) && (isWord(sql[i]) || sql[i] == '.') {
				i++
			}
			b.WriteByte('?')
		default:
			// $1, ?1 and :name are placeholders: their digits are no value.
			word = isWord(c) || c == '$' || c == '?' || c == ':' || c == '@'
			b.WriteByte(c)
			i++
			continue
		}
		word = false
	}
	return strings.TrimSpace(strings.ToValidUTF8(b.String(), "?"))
}

// summary names a statement by its verb and its first table: SELECT payments.
func summary(sql string) string {
	verb, table := "", ""
	next := false
	for word := range strings.FieldsFuncSeq(sql, func(r rune) bool { return r == ' ' || r == '(' || r == ')' || r == ',' || r == ';' }) {
		switch upper := strings.ToUpper(word); {
		case verb == "":
			verb = upper
			next = upper == "UPDATE"
		case next && upper != "OR" && upper != "ONLY":
			table = word
		case upper == "FROM" || upper == "INTO":
			next = true
		}
		if table != "" {
			return verb + " " + table
		}
	}
	return verb
}

// quoted returns where the text that begins at i ends. A quote that is doubled
// belongs to it, and one after a backslash where PostgreSQL's E stands before.
func quoted(sql string, i int) int {
	quote := sql[i]
	escapes := i > 0 && sql[i-1]|' ' == 'e' && (i == 1 || !isWord(sql[i-2]))
	for i++; i < len(sql); i++ {
		switch {
		case escapes && sql[i] == '\\':
			i++
		case sql[i] != quote:
		case i+1 < len(sql) && sql[i+1] == quote:
			i++
		default:
			return i + 1
		}
	}
	return len(sql)
}

// dollarTag returns the tag that opens a text of PostgreSQL ($$ or $tag$), or
// nothing.
func dollarTag(sql string) string {
	end := strings.IndexByte(sql[1:], '$')
	if end < 0 {
		return ""
	}
	for i, c := range []byte(sql[1 : 1+end]) {
		if !isWord(c) || i == 0 && isDigit(c) {
			return ""
		}
	}
	return sql[:end+2]
}

func after(sql string, i int, mark string) int {
	if end := strings.Index(sql[i:], mark); end >= 0 {
		return i + end + len(mark)
	}
	return len(sql)
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func isWord(c byte) bool {
	return isDigit(c) || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c == '_' || c >= 0x80
}
