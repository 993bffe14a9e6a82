package pact

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// A step leads from a value to one inside it: to a member by its name, to an
// item by its index, or in an expression to any of them.
type step struct {
	name  string
	index int
	kind  stepKind
}

type stepKind uint8

const (
	member   stepKind = iota // .name or ['name']
	item                     // [0]
	anyChild                 // .*
	anyItem                  // [*]
)

// A path is where a value stands below the root, $.
type path []step

func (p path) member(name string) path { return append(slices.Clip(p), step{name: name}) }
func (p path) item(index int) path     { return append(slices.Clip(p), step{index: index, kind: item}) }

// String writes p as the specification does, such as $.animals[0]['first name'].
func (p path) String() string {
	var b strings.Builder
	b.WriteByte('$')
	for _, s := range p {
		switch s.kind {
		case item:
			fmt.Fprintf(&b, "[%d]", s.index)
		case anyItem:
			b.WriteString("[*]")
		case anyChild:
			b.WriteString(".*")
		default:
			if plain(s.name) {
				b.WriteString("." + s.name)
			} else {
				b.WriteString("['" + s.name + "']")
			}
		}
	}
	return b.String()
}

func plain(name string) bool {
	return name != "" && strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") == ""
}

// parsePath reads an expression such as $.animals[*].* or $['2'].str.
func parsePath(text string) (path, error) {
	rest, ok := strings.CutPrefix(text, "$")
	if !ok {
		return nil, fmt.Errorf("the path %q does not start with $", text)
	}
	var p path
	for rest != "" {
		switch {
		case strings.HasPrefix(rest, "['") || strings.HasPrefix(rest, `["`):
			end := strings.Index(rest[2:], rest[1:2]+"]")
			if end < 0 {
				return nil, fmt.Errorf("the path %q has a bracket that does not end", text)
			}
			name := rest[2 : 2+end]
			rest = rest[2+end+2:]
			if name == "*" {
				p = append(p, step{kind: anyChild})
				continue
			}
			p = append(p, step{name: name})
		case rest[0] == '[':
			inside, after, ended := strings.Cut(rest[1:], "]")
			index, err := strconv.Atoi(inside)
			switch {
			case !ended:
				return nil, fmt.Errorf("the path %q has a bracket that does not end", text)
			case inside == "*":
				p = append(p, step{kind: anyItem})
			case err != nil || index < 0:
				return nil, fmt.Errorf("the path %q has %q where an index should be", text, inside)
			default:
				p = append(p, step{index: index, kind: item})
			}
			rest = after
		case rest[0] == '.':
			rest = rest[1:]
			end := strings.IndexAny(rest, ".[")
			if end < 0 {
				end = len(rest)
			}
			name := rest[:end]
			rest = rest[end:]
			switch name {
			case "":
				return nil, fmt.Errorf("the path %q has an empty name", text)
			case "*":
				p = append(p, step{kind: anyChild})
			default:
				p = append(p, step{name: name})
			}
		default:
			return nil, fmt.Errorf("the path %q has %q where a dot or bracket should be", text, rest[0])
		}
	}
	return p, nil
}

// weight says how closely the expression p fits a place or something above it:
// the product over its steps, two for each that is named and one for each that
// is a wildcard. Zero means not at all.
func (p path) weight(at path) int {
	if len(p) > len(at) {
		return 0
	}
	w := 2 // the root
	for i, s := range p {
		switch {
		case s == at[i]:
			w *= 2
		case s.kind == anyChild:
		case s.kind == anyItem && at[i].kind == item:
		default:
			return 0
		}
	}
	return w
}
