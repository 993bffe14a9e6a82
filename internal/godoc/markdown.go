package godoc

import (
	"go/doc/comment"
	"strings"
)

// markdown returns a doc comment as CommonMark, each paragraph on one line.
// It escapes nothing: comments are written for people, and so are the pages
// that show them. Links to Go names become the names, since who reads an API
// has no Go documentation beside it.
func markdown(text string) string {
	parser := comment.Parser{LookupSym: func(string, string) bool { return true }}
	doc := parser.Parse(text)
	var blocks []string
	for _, b := range doc.Content {
		switch b := b.(type) {
		case *comment.Heading:
			blocks = append(blocks, "## "+inline(b.Text))
		case *comment.Paragraph:
			blocks = append(blocks, inline(b.Text))
		case *comment.Code:
			blocks = append(blocks, "    "+strings.ReplaceAll(strings.TrimRight(b.Text, "\n"), "\n", "\n    "))
		case *comment.List:
			var items []string
			for _, item := range b.Items {
				mark := "- "
				if item.Number != "" {
					mark = item.Number + ". "
				}
				var parts []string
				for _, p := range item.Content {
					if p, ok := p.(*comment.Paragraph); ok {
						parts = append(parts, inline(p.Text))
					}
				}
				items = append(items, mark+strings.Join(parts, " "))
			}
			blocks = append(blocks, strings.Join(items, "\n"))
		}
	}
	return strings.Join(blocks, "\n\n")
}

func inline(parts []comment.Text) string {
	var b strings.Builder
	for _, p := range parts {
		switch p := p.(type) {
		case comment.Plain:
			b.WriteString(string(p))
		case comment.Italic:
			b.WriteString(string(p))
		case *comment.Link:
			b.WriteString(inline(p.Text))
			if !p.Auto {
				b.WriteString(" (" + p.URL + ")")
			}
		case *comment.DocLink:
			b.WriteString(inline(p.Text))
		}
	}
	return strings.Join(strings.Fields(b.String()), " ")
}
