package tsclient

import (
	"slices"
	"strings"

	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/op"
	"github.com/ashlar-go/ashlar/rule"
)

// A group holds the operations below a part of a name, "auth" or "auth.sessions".
type group struct {
	name   string
	specs  []*op.Spec
	groups []*group
}

// tree sorts operations into groups, in the order of their declaration.
func tree(specs []*op.Spec) *group {
	root := &group{}
	for _, s := range specs {
		at := root
		parts := strings.Split(s.Name, ".")
		for _, part := range parts[:len(parts)-1] {
			i := slices.IndexFunc(at.groups, func(g *group) bool { return g.name == part })
			if i < 0 {
				i = len(at.groups)
				at.groups = append(at.groups, &group{name: part})
			}
			at = at.groups[i]
		}
		at.specs = append(at.specs, s)
	}
	return root
}

// class writes the client itself.
func (w *writer) class() {
	w.line("")
	w.line("/** Calls operations. One client is enough for a program; it is safe to call at any time, however often at once. */")
	w.line("export class %s {", w.resource)
	w.line("  readonly #connection: Connection;")
	w.line("")
	w.line("  constructor(options: ClientOptions = {}) {")
	if refresh := w.refreshing(); refresh != nil {
		w.line("    this.#connection = new Connection(options, { name: %s, method: %s, path: %s, open: true });",
			quote(refresh.Name), quote(refresh.Method), quote(refresh.Path))
	} else {
		w.line("    this.#connection = new Connection(options, undefined);")
	}
	w.line("  }")
	w.line("")
	w.line("  /** The tokens of whoever is signed in. */")
	w.line("  get tokens(): TokenStore { return this.#connection.tokens; }")
	w.signOut()
	root := tree(w.specs)
	for _, s := range root.specs {
		w.line("")
		w.comment("  ", w.about(s))
		w.line("  readonly %s = %s;", w.leaf(root, s), w.function(s, "  "))
	}
	for _, g := range root.groups {
		w.line("")
		w.line("  readonly %s = {", camel(g.name))
		w.members(g, "    ")
		w.line("  };")
	}
	w.line("}")
}

func (w *writer) members(g *group, indent string) {
	for _, s := range g.specs {
		w.comment(indent, w.about(s))
		w.line("%s%s: %s,", indent, w.leaf(g, s), w.function(s, indent))
	}
	for _, inner := range g.groups {
		w.line("%s%s: {", indent, camel(inner.name))
		w.members(inner, indent+"  ")
		w.line("%s},", indent)
	}
}

// leaf is the last part of an operation's name. A group of the same name goes
// before.
func (w *writer) leaf(in *group, s *op.Spec) string {
	name := s.Name[strings.LastIndexByte(s.Name, '.')+1:]
	if slices.ContainsFunc(in.groups, func(g *group) bool { return g.name == name }) {
		return camel(name) + "_"
	}
	return camel(name)
}

// about is the doc comment of an operation.
func (w *writer) about(s *op.Spec) string {
	var b strings.Builder
	if s.Summary != "" {
		b.WriteString(s.Summary + ".\n")
	}
	if s.Description != "" {
		b.WriteString("\n" + s.Description + "\n")
	}
	b.WriteString("\n`" + s.Method + " " + s.Path + "`")
	if len(s.Permissions) > 0 {
		b.WriteString(", needs")
		for i, p := range s.Permissions {
			if i > 0 {
				b.WriteString(" and")
			}
			b.WriteString(" `" + string(p) + "`")
		}
	}
	b.WriteByte('.')
	if codes := codesOf(s.Fails); len(codes) > 0 {
		b.WriteString(" Fails with `" + strings.Join(codes, "`, `") + "`, beside what any call may fail with.")
	}
	if !s.Deprecated.IsZero() {
		b.WriteString("\n@deprecated since " + s.Deprecated.Format("2006-01-02"))
		if !s.Sunset.IsZero() {
			b.WriteString(", gone on " + s.Sunset.Format("2006-01-02"))
		}
	}
	return b.String()
}

// function is the arrow function of an operation.
func (w *writer) function(s *op.Spec, indent string) string {
	options := "CallOptions"
	if s.Kind == op.IsStream {
		options = "StreamOptions"
	}
	parameters, given := "options?: "+options, "{}"
	if fields := s.In.Object.Fields; len(fields) > 0 {
		given = "input"
		empty := " = {}"
		if slices.ContainsFunc(fields, func(f *rule.Field) bool { return f.Required }) {
			empty = ""
		}
		parameters = "input: " + inputName(s) + empty + ", " + parameters
	}
	inner := "\n" + indent + "  "
	route := w.route(s)
	switch item := w.listed(s); {
	case s.Kind == op.IsStream:
		kind := w.typed(s.Out, output)
		return "(" + parameters + "): Subscription<" + kind + "> =>" + inner +
			"new Subscription<" + kind + ">(this.#connection, " + route + ", " + given + ", options ?? {})"
	case item != "":
		return "(" + parameters + "): Pages<" + item + "> =>" + inner +
			"new Pages<" + item + ">((cursor) => this.#connection.call(" + route + "," + inner + "  cursor === undefined ? " + given +
			" : { ..." + given + ", cursor }, options))"
	}
	return "(" + parameters + "): Promise<" + w.answer(s) + "> =>" + inner +
		"this.#connection.call(" + route + ", " + given + ", options)"
}

// listed is the type of the items of a list that can be read on and on, or "".
func (w *writer) listed(s *op.Spec) string {
	if s.Kind != op.IsQuery || s.Returns != op.JSON || s.In.Object.Field("cursor") == nil {
		return ""
	}
	if item := op.ItemOf(s.Out); item != nil {
		return w.typed(item, output)
	}
	return ""
}

// route is what the runtime has to know of an operation.
func (w *writer) route(s *op.Spec) string {
	text := "{ name: " + quote(s.Name) + ", method: " + quote(s.Method) + ", path: " + quote(s.Path)
	add := func(when bool, member string) {
		if when {
			text += ", " + member
		}
	}
	add(s.Idempotent > 0, "key: true")
	add(!s.Asks(), "open: true")
	add(s.Returns == op.FileBytes, "file: true")
	add(s.Kind == op.IsStream && s.In.Object.Field(op.After) != nil, "after: true")
	add(w.givesTokens(s), "tokens: 'take'")
	return text + " }"
}

// givesTokens reports whether an operation answers with the tokens of a session.
func (w *writer) givesTokens(s *op.Spec) bool {
	return s.Returns == op.JSON && s.Out.Kind == rule.Object &&
		s.Out.Object.Field("access_token") != nil && s.Out.Object.Field("refresh_token") != nil
}

// refreshing is the operation that exchanges a refresh token for another, or
// nil.
func (w *writer) refreshing() *op.Spec {
	for _, s := range w.specs {
		if s.Kind == op.IsCommand && s.Access == op.ByEveryone && w.givesTokens(s) &&
			s.In.Object.Field("refresh_token") != nil && s.In.Object.Field("retry_key") != nil {
			return s
		}
	}
	return nil
}

// signOut writes the method that ends the session, where an operation does.
func (w *writer) signOut() {
	for _, s := range w.specs {
		if s.Kind != op.IsCommand || s.Access != op.ByAnyone || s.Returns != op.Nothing || len(s.In.Object.Fields) != 1 ||
			s.In.Object.Field("refresh_token") == nil {
			continue
		}
		w.line("")
		w.line("  /** Ends the session, here and on the server. It is forgotten here even if the server cannot be reached. */")
		w.line("  async signOut(options?: CallOptions): Promise<void> {")
		w.line("    const kept = this.tokens.get();")
		w.line("    try {")
		w.line("      if (kept) await this.#connection.call(%s, { refresh_token: kept.refresh_token }, options);", w.route(s))
		w.line("    } finally {")
		w.line("      this.#connection.signOut();")
		w.line("    }")
		w.line("  }")
		return
	}
}

func codesOf(faults []fault.Coded) []string {
	var codes []string
	for _, f := range faults {
		if !slices.Contains(codes, f.Code()) {
			codes = append(codes, f.Code())
		}
	}
	return codes
}
