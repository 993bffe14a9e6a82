package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// ParseDotEnv reads a file of NAME=value lines, as kept in .env beside a
// program under development:
//
//	# a comment
//	export NAME=value   # quotes are optional, and so is export
//	TEXT="escapes: \n \r \t \\ \" \$; may span lines"
//	PLAIN='exactly as written; may span lines'
//
// Nothing is expanded: $ has no meaning. A name given twice is an error, so
// are NUL bytes, bad UTF-8 and more than 1 MiB. The error joins one error for
// each bad line, with its number and never its content.
func ParseDotEnv(r io.Reader) (map[string]string, error) {
	content, err := io.ReadAll(io.LimitReader(r, maxFile+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("read .env: %w", err)
	case len(content) > maxFile:
		return nil, errors.New(".env is larger than 1MiB")
	case !utf8.Valid(content):
		return nil, errors.New(".env is not UTF-8")
	case bytes.IndexByte(content, 0) >= 0:
		return nil, errors.New(".env has a NUL byte")
	}
	p := dotenv{rest: strings.TrimPrefix(string(content), "\ufeff"), line: 1, values: map[string]string{}}
	p.rest = strings.ReplaceAll(p.rest, "\r\n", "\n")
	for p.rest != "" {
		p.statement()
	}
	if len(p.errs) > 0 {
		return nil, errors.Join(p.errs...)
	}
	return p.values, nil
}

type dotenv struct {
	rest   string // what is not read yet, at the start of a line
	line   int    // its number
	values map[string]string
	errs   []error
}

// statement reads one line, or the several lines of one quoted value.
func (p *dotenv) statement() {
	line, rest, _ := strings.Cut(p.rest, "\n")
	text := strings.TrimLeft(line, " \t")
	if text = strings.TrimRight(text, " \t"); text == "" || text[0] == '#' {
		p.advance(rest)
		return
	}
	name, value, found := strings.Cut(text, "=")
	name = strings.TrimRight(name, " \t")
	if after, ok := strings.CutPrefix(name, "export"); ok && after != strings.TrimLeft(after, " \t") {
		name = strings.TrimLeft(after, " \t")
	}
	_, taken := p.values[name]
	switch {
	case !found:
		p.fail("expected NAME=value")
	case !validName(name):
		p.fail("the name before = may hold letters, digits and _ only, and not start with a digit")
	case taken:
		p.fail("this name is already set by an earlier line")
	default:
		value = strings.TrimLeft(value, " \t")
		if value != "" && (value[0] == '"' || value[0] == '\'') {
			// From the quote to the end of the file: the value may go on.
			end := len(strings.TrimRight(line, " \t"))
			p.quoted(name, p.rest[end-len(value):])
			return
		}
		p.values[name] = bare(value)
	}
	p.advance(rest)
}

// bare is an unquoted value: up to a # that follows a space.
func bare(value string) string {
	for i := range len(value) {
		if value[i] == '#' && (i == 0 || value[i-1] == ' ' || value[i-1] == '\t') {
			value = value[:i]
			break
		}
	}
	return strings.TrimRight(value, " \t")
}

// quoted reads a value that starts at the quote text begins with.
func (p *dotenv) quoted(name, text string) {
	var value strings.Builder
	quote := text[0]
	for i := 1; i < len(text); i++ {
		switch c := text[i]; {
		case c == quote:
			tail, rest, _ := strings.Cut(text[i+1:], "\n")
			if tail = strings.TrimSpace(tail); tail != "" && tail[0] != '#' {
				p.fail("something follows the closing quote")
			}
			p.values[name] = value.String()
			p.advance(rest)
			return
		case c == '\\' && quote == '"':
			i++
			if i == len(text) {
				continue
			}
			at := strings.IndexByte(`nrt\"$`, text[i])
			if at < 0 {
				p.fail(`a backslash is followed by something other than n, r, t, \, " or $`)
				continue
			}
			value.WriteByte("\n\r\t\\\"$"[at])
		default:
			value.WriteByte(c)
		}
	}
	p.fail("a quote is not closed")
	p.rest = ""
}

// advance moves to rest, which begins a line.
func (p *dotenv) advance(rest string) {
	p.line += strings.Count(p.rest[:len(p.rest)-len(rest)], "\n")
	p.rest = rest
}

func (p *dotenv) fail(problem string) {
	p.errs = append(p.errs, fmt.Errorf(".env line %d: %s", p.line, problem))
}
