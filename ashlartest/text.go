package ashlartest

import (
	"regexp/syntax"
	"strings"
	"unicode/utf8"

	"github.com/ashlar-go/ashlar/rule"
)

// text returns a text of n code points that keeps the rules of t, or of any
// valid length if n is negative.
func (g *generator) text(t *rule.Type, n int) (string, bool) {
	for range mostTries {
		length := n
		if n < 0 {
			length = t.Text.Min + g.rand.IntN(min(t.Text.Max-t.Text.Min, 20)+1)
		}
		s := g.candidate(t, length)
		if t.CheckText(s) == nil && (n < 0 || utf8.RuneCountInString(s) == n) {
			return s, true
		}
	}
	if s, ok := t.Example.(string); ok && (n < 0 || utf8.RuneCountInString(s) == n) {
		return s, true
	}
	return "", false
}

// candidate returns a text that has the pattern or format of t, and the length
// if that can be.
func (g *generator) candidate(t *rule.Type, n int) string {
	if t.Text.Pattern != "" {
		re, err := syntax.Parse(t.Text.Pattern, syntax.Perl)
		if err != nil {
			return "" // Describe has compiled it
		}
		var out strings.Builder
		g.match(&out, re, n)
		return out.String()
	}
	switch t.Text.Format {
	case rule.Email:
		const domain = "@example.com"
		local := max(n-len(domain), 1)
		return g.letters(min(local, 64)) + "@" + g.labels(local-min(local, 64)) + domain[1:]
	case rule.UUID:
		return g.digits(8) + "-" + g.digits(4) + "-4" + g.digits(3) + "-8" + g.digits(3) + "-" + g.digits(12)
	case rule.Date:
		return "20" + g.digits(2) + "-0" + g.oneOf("123456789") + "-1" + g.digits(1)
	case rule.DateTime:
		return "20" + g.digits(2) + "-0" + g.oneOf("123456789") + "-1" + g.digits(1) + "T1" + g.digits(1) + ":0" + g.digits(1) + ":0" + g.digits(1) + "Z"
	case rule.URI:
		return "https://example.com/" + g.letters(max(n-len("https://example.com/"), 0))
	case rule.Hostname:
		return g.labels(max(n-len("example"), 0)) + "example"
	case rule.IPv4:
		return "192.0.2." + g.digits(1)
	case rule.IPv6:
		return "2001:db8::" + g.digits(1)
	}
	return g.letters(n)
}

// labels are labels of a host name, with their dots, n characters in all.
func (g *generator) labels(n int) string {
	var out strings.Builder
	for n > 0 {
		label := min(n-1, 63)
		if n-1-label == 1 {
			label-- // a dot needs a label before it
		}
		if label < 1 {
			break
		}
		out.WriteString(g.letters(label) + ".")
		n -= label + 1
	}
	return out.String()
}

func (g *generator) letters(n int) string { return g.of26("abcdefghijklmnopqrstuvwxyz", n) }
func (g *generator) digits(n int) string  { return g.of26("0123456789", n) }

func (g *generator) of26(alphabet string, n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = alphabet[g.rand.IntN(len(alphabet))]
	}
	return string(b)
}

func (g *generator) oneOf(alphabet string) string { return g.of26(alphabet, 1) }

// unbounded stands for a length that a pattern does not bound.
const unbounded = 1 << 16

// match writes a text that the expression matches, of n code points if it can.
func (g *generator) match(out *strings.Builder, re *syntax.Regexp, n int) {
	switch re.Op {
	case syntax.OpLiteral:
		out.WriteString(string(re.Rune))
	case syntax.OpCharClass:
		out.WriteRune(g.member(re.Rune))
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		out.WriteString(g.letters(1))
	case syntax.OpCapture:
		g.match(out, re.Sub[0], n)
	case syntax.OpStar, syntax.OpPlus, syntax.OpQuest, syntax.OpRepeat:
		g.repeat(out, re, n)
	case syntax.OpConcat:
		g.concat(out, re.Sub, n)
	case syntax.OpAlternate:
		fits := make([]*syntax.Regexp, 0, len(re.Sub))
		for _, sub := range re.Sub {
			if least, most := lengths(sub); least <= n && n <= most {
				fits = append(fits, sub)
			}
		}
		if len(fits) == 0 {
			fits = re.Sub
		}
		g.match(out, fits[g.rand.IntN(len(fits))], n)
	default: // what matches nothing, or an empty text
	}
}

// concat gives each part its least length, and what is left to those that can
// be longer.
func (g *generator) concat(out *strings.Builder, parts []*syntax.Regexp, n int) {
	left := n
	for _, part := range parts {
		least, _ := lengths(part)
		left -= least
	}
	more := make([]int, len(parts))
	for _, i := range g.rand.Perm(len(parts)) {
		least, most := lengths(parts[i])
		more[i] = max(0, min(left, most-least))
		left -= more[i]
	}
	for i, part := range parts {
		least, _ := lengths(part)
		g.match(out, part, least+more[i])
	}
}

func (g *generator) repeat(out *strings.Builder, re *syntax.Regexp, n int) {
	least, most := times(re)
	itemLeast, itemMost := lengths(re.Sub[0])
	count := least
	for count < most && count*itemMost < n && (count+1)*itemLeast <= n {
		count++
	}
	left := n - count*itemLeast
	for range count {
		more := max(0, min(left, itemMost-itemLeast))
		left -= more
		g.match(out, re.Sub[0], itemLeast+more)
	}
}

// times is how often the expression of a repetition matches.
func times(re *syntax.Regexp) (least, most int) {
	switch re.Op {
	case syntax.OpStar:
		return 0, unbounded
	case syntax.OpPlus:
		return 1, unbounded
	case syntax.OpQuest:
		return 0, 1
	default:
		if re.Max < 0 {
			return re.Min, unbounded
		}
		return re.Min, re.Max
	}
}

// lengths are those of the texts that an expression matches.
func lengths(re *syntax.Regexp) (least, most int) {
	switch re.Op {
	case syntax.OpLiteral:
		return len(re.Rune), len(re.Rune)
	case syntax.OpCharClass, syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		return 1, 1
	case syntax.OpCapture:
		return lengths(re.Sub[0])
	case syntax.OpStar, syntax.OpPlus, syntax.OpQuest, syntax.OpRepeat:
		least, most = lengths(re.Sub[0])
		few, many := times(re)
		return least * few, min(most*many, unbounded)
	case syntax.OpConcat:
		for _, sub := range re.Sub {
			l, m := lengths(sub)
			least, most = least+l, min(most+m, unbounded)
		}
		return least, most
	case syntax.OpAlternate:
		least, most = lengths(re.Sub[0])
		for _, sub := range re.Sub[1:] {
			l, m := lengths(sub)
			least, most = min(least, l), max(most, m)
		}
		return least, most
	default:
		return 0, 0
	}
}

// member returns one of a class, printable ASCII if it has some.
func (g *generator) member(class []rune) rune {
	var printable []rune
	for i := 0; i < len(class); i += 2 {
		for r := max(class[i], 0x21); r <= min(class[i+1], 0x7e); r++ {
			printable = append(printable, r)
		}
	}
	if len(printable) > 0 {
		return printable[g.rand.IntN(len(printable))]
	}
	return class[0]
}

// spoiled returns a text as long as s that breaks the rule with this code and
// no other that is looked at before.
func spoiled(t *rule.Type, s, code string) (string, bool) {
	runes := []rune(s)
	for _, at := range []int{len(runes) - 1, 0, len(runes) / 2} {
		if at < 0 || at >= len(runes) {
			continue
		}
		for _, r := range "!aZ0_-~ é@.\u0007" {
			other := append([]rune(nil), runes...)
			other[at] = r
			if broken := t.CheckText(string(other)); broken != nil && broken.Code == code {
				return string(other), true
			}
		}
	}
	for _, other := range []string{"x", "no such thing", strings.Repeat("x", t.Text.Max), strings.Repeat("!", t.Text.Min)} {
		if broken := t.CheckText(other); broken != nil && broken.Code == code {
			return other, true
		}
	}
	return "", false
}
