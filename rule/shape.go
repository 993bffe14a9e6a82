package rule

import (
	"regexp/syntax"
	"unicode/utf8"
)

// A shape matches the expressions that most fields use, such as
// ^pay_[0-9a-z]{26}$, by a walk over the text: characters of fixed classes, of
// which the last may repeat any number of times.
type shape struct {
	fixed    []*charset
	tail     *charset // repeats, or is nil
	min, max int      // of the tail; max -1 means any number
	control  bool     // some class has a character that NoControl refuses
}

// match reports whether the whole of s has the shape, provided that s is ASCII
// as far as that could be told.
func (sh *shape) match(s string) (matched, ascii bool) {
	if len(s) < len(sh.fixed) {
		// Shorter in bytes is shorter in characters too.
		return false, true
	}
	for i, set := range sh.fixed {
		b := s[i]
		if b >= utf8.RuneSelf {
			return false, false
		}
		if !set[b] {
			return false, true
		}
	}
	s = s[len(sh.fixed):]
	if sh.tail == nil {
		return s == "", true
	}
	for i := range len(s) {
		b := s[i]
		if b >= utf8.RuneSelf {
			return false, false
		}
		if !sh.tail[b] {
			return false, true
		}
	}
	return len(s) >= sh.min && (sh.max < 0 || len(s) <= sh.max), true
}

// shapeOf returns the shape of an expression, if it has one.
func shapeOf(expression string) (*shape, bool) {
	re, err := syntax.Parse(expression, syntax.Perl)
	if err != nil || re.Op != syntax.OpConcat || len(re.Sub) < 3 ||
		re.Sub[0].Op != syntax.OpBeginText || re.Sub[len(re.Sub)-1].Op != syntax.OpEndText {
		return nil, false
	}
	sh := &shape{}
	for _, part := range re.Sub[1 : len(re.Sub)-1] {
		if sh.tail != nil || !sh.add(part) {
			return nil, false
		}
	}
	return sh, true
}

// longest bounds the fixed part, as {1000} of a class is better left to
// regexp.
const longest = 128

func (sh *shape) add(part *syntax.Regexp) bool {
	least, most := 1, 1
	switch part.Op {
	case syntax.OpLiteral:
		if part.Flags&syntax.FoldCase != 0 {
			return false
		}
		for _, r := range part.Rune {
			if r >= utf8.RuneSelf {
				return false
			}
			sh.fixed = append(sh.fixed, chars(string(r)))
			sh.control = sh.control || !NoControl.allows(string(r))
		}
		return len(sh.fixed) <= longest
	case syntax.OpStar:
		least, most = 0, -1
	case syntax.OpPlus:
		least, most = 1, -1
	case syntax.OpQuest:
		least, most = 0, 1
	case syntax.OpRepeat:
		least, most = part.Min, part.Max
	default:
	}
	class := part
	if len(part.Sub) == 1 {
		class = part.Sub[0]
	}
	set, control := classOf(class)
	if set == nil {
		return false
	}
	sh.control = sh.control || control
	if least != most {
		sh.tail, sh.min, sh.max = set, least, most
		return true
	}
	if len(sh.fixed)+least > longest {
		return false
	}
	for range least {
		sh.fixed = append(sh.fixed, set)
	}
	return true
}

// classOf returns the ASCII members of what matches one character, and
// whether it matches one that NoControl refuses.
func classOf(re *syntax.Regexp) (members *charset, control bool) {
	var ranges []rune
	switch {
	case re.Op == syntax.OpAnyCharNotNL:
		ranges = []rune{0, '\n' - 1, '\n' + 1, utf8.MaxRune}
	case re.Op == syntax.OpCharClass:
		ranges = re.Rune
	case re.Op == syntax.OpLiteral && len(re.Rune) == 1 && re.Rune[0] < utf8.RuneSelf && re.Flags&syntax.FoldCase == 0:
		ranges = []rune{re.Rune[0], re.Rune[0]}
	default:
		return nil, false
	}
	members = &charset{}
	for i := 0; i < len(ranges); i += 2 {
		low, high := ranges[i], ranges[i+1]
		for r := low; r <= min(high, utf8.RuneSelf-1); r++ {
			members[r] = true
		}
		for _, refused := range controls {
			control = control || low <= refused[1] && high >= refused[0]
		}
	}
	return members, control
}
