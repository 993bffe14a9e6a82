package graphql

import (
	"net/url"
	"slices"

	"github.com/vektah/gqlparser/v2/ast"

	"github.com/ashlar-go/ashlar/internal/codec"
	"github.com/ashlar-go/ashlar/op"
)

// A plan is a document compiled: what is asked of whom, and what is sent of the
// answers.
type plan struct {
	fragments ast.FragmentDefinitionList
	operation *ast.OperationDefinition
	root      []*step
	// asked is how many operations are called, and related how many relations.
	asked, related int
}

// A step is one field of a type: of the answer, or of the root.
type step struct {
	name string // the response's
	key  []byte // the same with quotes and colon
	at   *ast.Position
	typ  *ast.Type
	kind kind
	// slot is where the member's value is found.
	slot int
	sub  *selection
	// enum holds the values that are one.
	enum map[string]bool
	text []byte // of a name of a type
	// cost is how many values one has.
	cost int

	call      *field // of the root: who answers
	pickers   [2]*codec.Picker
	cursors   bool     // of the edges of its page are asked for
	paged     bool     // the edges are those of the page of a step of the root
	route     *url.URL // where it asks, if all arguments are in the query
	query     []sent
	arguments ast.ArgumentList
	given     ast.ArgumentDefinitionList

	link    *op.Link     // of a relation
	inner   *step        // of its values
	relates bool         // it is one, or holds some
	asks    []*ast.Field // of introspection
}

type kind uint8

const (
	value         kind = iota // goes on as it is
	isEnum                    // is held to the values
	object                    // is looked into
	isTypename                // is known before
	edges                     // of a connection: the items, each in one more object
	pageInfo                  // of a connection: the connection itself
	introspection             // is about the schema
	related                   // is asked for when all else is known
)

// A selection is what is sent of an object, and wanted which of its members
// that takes.
type selection struct {
	steps  []*step
	wanted []string
	// edge says that the object is an edge, which exists here alone: the value
	// is its node.
	edge bool
	// paging says that the object is a PageInfo.
	paging bool
}

// mostPlans is how many plans one document keeps: one for each set of values of
// the variables that decide what is left out.
const mostPlans = 16

// plan returns the plan of a document for the given variables.
func (h *Handler) plan(d *document, vars variables) (*plan, error) {
	decided := d.decided(vars)
	d.mu.Lock()
	p := d.plans[decided]
	d.mu.Unlock()
	if p != nil {
		return p, nil
	}
	c := compiler{h: h, d: d, vars: vars}
	p, err := c.compile()
	if err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.plans) < mostPlans {
		d.plans[decided] = p
	}
	return p, nil
}

type compiler struct {
	h    *Handler
	d    *document
	vars variables

	related int
}

func (c *compiler) compile() (*plan, error) {
	p := &plan{operation: c.d.operation, fragments: c.d.fragments}
	s := c.h.schema
	root := map[ast.Operation]*ast.Definition{
		ast.Query: s.types.Query, ast.Mutation: s.types.Mutation, ast.Subscription: s.types.Subscription,
	}[p.operation.Operation]
	if root == nil {
		return nil, refused(ErrDocument, p.operation.Position, "There is no "+string(p.operation.Operation)+".")
	}
	for _, g := range c.collect(root.Name, p.operation.SelectionSet) {
		st := c.begin(g, root.Name)
		f := g.fields[0]
		switch {
		case st.kind == isTypename:
		case f.Name == "__schema" || f.Name == "__type":
			if !c.h.introspection {
				return nil, refused(ErrIntrospection, f.Position, "The schema is not shown here.")
			}
			st.kind, st.asks = introspection, g.fields
		default:
			p.asked++
			st.call, st.arguments, st.given = s.fields[f.Name], f.Arguments, f.Definition.Arguments
			if st.call == nil { // the placeholder of a schema without queries
				st.kind, st.text = isTypename, null
				continue
			}
			c.look(st, g)
			st.choose()
			st.address(s)
		}
		p.root = append(p.root, st)
	}
	if p.operation.Operation == ast.Subscription && !p.subscribes() {
		return nil, refused(ErrDocument, p.operation.Position, "A subscription has one field, which is asked for always and is no __typename.")
	}
	p.related = c.related
	if p.asked+p.related > c.h.limits.Operations {
		return nil, refused(ErrTooMuch, p.operation.Position, "The document calls too many operations.")
	}
	return p, nil
}

// subscribes reports whether the plan of a subscription is one: it has a single
// field, which is always asked for (sections 5.2.4.1 and 6.2.3.1 of the
// specification).
func (p *plan) subscribes() bool {
	return len(p.root) == 1 && p.root[0].call != nil && !p.conditional(p.operation.SelectionSet)
}

// conditional reports whether @skip or @include stand at the root.
func (p *plan) conditional(set ast.SelectionSet) bool {
	return slices.ContainsFunc(set, func(s ast.Selection) bool {
		switch s := s.(type) {
		case *ast.Field:
			return decide(s.Directives)
		case *ast.InlineFragment:
			return decide(s.Directives) || p.conditional(s.SelectionSet)
		case *ast.FragmentSpread:
			f := p.fragments.ForName(s.Name)
			return decide(s.Directives) || f != nil && p.conditional(f.SelectionSet)
		}
		return false
	})
}

func decide(directives ast.DirectiveList) bool {
	return directives.ForName("skip") != nil || directives.ForName("include") != nil
}

// A group is the fields that answer under one name.
type group struct {
	name   string
	fields []*ast.Field
}

// collect returns the fields of an object of a type, those of fragments in
// their place.
func (c *compiler) collect(typ string, sets ...ast.SelectionSet) []*group {
	var order []*group
	byName := map[string]*group{}
	seen := map[string]bool{}
	var walk func(set ast.SelectionSet)
	walk = func(set ast.SelectionSet) {
		for _, selection := range set {
			switch s := selection.(type) {
			case *ast.Field:
				if leftOut(s.Directives, c.vars) {
					continue
				}
				g := byName[s.Alias]
				if g == nil {
					g = &group{name: s.Alias}
					byName[s.Alias] = g
					order = append(order, g)
				}
				g.fields = append(g.fields, s)
			case *ast.InlineFragment:
				if !leftOut(s.Directives, c.vars) && (s.TypeCondition == "" || s.TypeCondition == typ) {
					walk(s.SelectionSet)
				}
			case *ast.FragmentSpread:
				if leftOut(s.Directives, c.vars) || seen[s.Name] {
					continue
				}
				seen[s.Name] = true
				if f := c.d.fragments.ForName(s.Name); f != nil && f.TypeCondition == typ {
					walk(f.SelectionSet)
				}
			}
		}
	}
	for _, set := range sets {
		walk(set)
	}
	return order
}

// begin makes the step of a group.
func (c *compiler) begin(g *group, typ string) *step {
	f := g.fields[0]
	st := &step{name: g.name, key: append(appendText(nil, g.name), ':'), at: f.Position, slot: -1, cost: 1}
	if f.Definition != nil {
		st.typ = f.Definition.Type
	}
	if f.Name == "__typename" {
		st.kind, st.text = isTypename, appendText(nil, typ)
	}
	return st
}

// look compiles what is sent of a value.
func (c *compiler) look(st *step, g *group) {
	s := c.h.schema
	name := st.typ.Name()
	def := s.types.Types[name]
	switch {
	case def == nil:
	case def.Kind == ast.Enum:
		st.kind, st.enum = isEnum, s.enums[name]
	case def.Kind == ast.Object:
		if st.kind == value {
			st.kind = object
		}
		sets := make([]ast.SelectionSet, len(g.fields))
		for i, f := range g.fields {
			sets[i] = f.SelectionSet
		}
		st.sub = c.selection(name, sets)
		for _, below := range st.sub.steps {
			st.cost += below.cost
			st.relates = st.relates || below.relates
		}
	}
}

// The members of a page.
const (
	pageData = "data"
	pageNext = "next_cursor"
	pageMore = "has_more"
)

func (c *compiler) selection(typ string, sets []ast.SelectionSet) *selection {
	s := c.h.schema
	sel := &selection{edge: s.edges[typ], paging: typ == "PageInfo"}
	for _, g := range c.collect(typ, sets...) {
		st := c.begin(g, typ)
		sel.steps = append(sel.steps, st)
		if st.kind == isTypename {
			continue
		}
		f := g.fields[0]
		wire := s.wire(typ, f.Name)
		link := s.relations[typ][f.Name]
		if link != nil {
			wire = link.Member
		}
		if s.pages[typ] {
			switch f.Name {
			case "edges":
				st.kind = edges
			case "pageInfo":
				st.kind = pageInfo
			}
			if st.kind != value { // of the whole page
				c.look(st, g)
				continue
			}
			wire = pageData
		}
		if sel.paging {
			wire = map[string]string{"hasNextPage": pageMore, "endCursor": pageNext}[f.Name]
		}
		if sel.edge || wire == "" { // not on the wire
			wire = f.Name
		}
		st.slot = slices.Index(sel.wanted, wire)
		if st.slot < 0 {
			st.slot = len(sel.wanted)
			sel.wanted = append(sel.wanted, wire)
		}
		if link != nil {
			c.relate(st, g, link)
			continue
		}
		c.look(st, g)
	}
	return sel
}

// price is what an answer of the plan may cost, with as many items in a page as
// are asked for.
func (p *plan) price(vars variables) int {
	total := 0
	for _, st := range p.root {
		items := 1
		if st.call != nil && st.call.paged {
			items = standardPage
			if a := st.arguments.ForName(first); a != nil {
				if n, ok := wholeOf(literal(a.Value, vars)); ok {
					items = max(n, 1)
				}
			}
		}
		total += min(st.costOf(vars)*min(items, largestPage), unaffordable)
	}
	return total
}

const (
	standardPage = 20
	largestPage  = 1000 // the operation itself refuses far less
)

// refuseCost refuses a plan that may answer too much.
func (h *Handler) refuseCost(p *plan, vars variables) error {
	if p.price(vars) > h.limits.Cost {
		return refused(ErrTooMuch, p.operation.Position, "The document may answer with too many values; ask for fewer fields or smaller pages.")
	}
	return nil
}
