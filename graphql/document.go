package graphql

import (
	"errors"
	"slices"
	"strings"
	"sync"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
	"github.com/vektah/gqlparser/v2/parser"
	"github.com/vektah/gqlparser/v2/validator"
	"github.com/vektah/gqlparser/v2/validator/rules"
)

// A document is a text that was parsed and found valid, with one of its
// operations chosen. It is not changed any more, but for the plans that it
// keeps.
type document struct {
	operation *ast.OperationDefinition
	fragments ast.FragmentDefinitionList
	// conditions are the variables that decide what is left out.
	conditions []string

	mu    sync.Mutex
	plans map[string]*plan // by the values of conditions
}

// The rules of the specification, without the helpful ones: no misspelt name is
// answered with one that there is.
var validRules = []validator.Rule{
	rules.FieldsOnCorrectTypeRuleWithoutSuggestions,
	rules.FragmentsOnCompositeTypesRule,
	rules.KnownArgumentNamesRuleWithoutSuggestions,
	rules.KnownDirectivesRule,
	rules.KnownFragmentNamesRule,
	rules.KnownRootTypeRule,
	rules.KnownTypeNamesRuleWithoutSuggestions,
	rules.LoneAnonymousOperationRule,
	rules.NoFragmentCyclesRule,
	rules.NoUndefinedVariablesRule,
	rules.NoUnusedFragmentsRule,
	rules.NoUnusedVariablesRule,
	rules.OverlappingFieldsCanBeMergedRule,
	rules.PossibleFragmentSpreadsRule,
	rules.ProvidedRequiredArgumentsRule,
	rules.ScalarLeafsRuleWithoutSuggestions,
	rules.SingleFieldSubscriptionsRule,
	rules.UniqueArgumentNamesRule,
	rules.UniqueDirectivesPerLocationRule,
	rules.UniqueFragmentNamesRule,
	rules.UniqueInputFieldNamesRule,
	rules.UniqueOperationNamesRule,
	rules.UniqueVariableNamesRule,
	rules.ValuesOfCorrectTypeRuleWithoutSuggestions,
	rules.VariablesAreInputTypesRule,
	rules.VariablesInAllowedPositionRule,
}

var valid = rules.NewRules(validRules...)

// parse reads a document and chooses one of its operations.
func (h *Handler) parse(text, operation string) (*document, error) {
	parsed, err := parser.ParseQueryWithTokenLimit(&ast.Source{Input: text}, h.limits.Tokens)
	if err != nil {
		return nil, syntaxOf(err)
	}
	if len(parsed.Operations) == 0 {
		return nil, refused(ErrDocument, nil, "The document has no operation.")
	}
	if err := h.measure(parsed); err != nil {
		return nil, err
	}
	if found := validator.ValidateWithRules(h.schema.types, parsed, valid); len(found) > 0 {
		return nil, violationsOf(found)
	}
	d := &document{fragments: parsed.Fragments, plans: map[string]*plan{}}
	switch d.operation = parsed.Operations.ForName(operation); {
	case operation == "" && len(parsed.Operations) > 1:
		return nil, refused(ErrDocument, nil, "The document has several operations; say which one in operationName.")
	case d.operation == nil:
		return nil, refused(ErrDocument, nil, "The document has no operation of that name.")
	}
	d.conditions = conditionsOf(d.operation.SelectionSet)
	for _, f := range parsed.Fragments {
		d.conditions = append(d.conditions, conditionsOf(f.SelectionSet)...)
	}
	slices.Sort(d.conditions)
	d.conditions = slices.Compact(d.conditions)
	return d, nil
}

// syntaxOf says where a document stops being one. It repeats nothing of it:
// what stands there may be a card number.
func syntaxOf(err error) error {
	message, at := "The document is not GraphQL.", (*ast.Position)(nil)
	if e, ok := errors.AsType[*gqlerror.Error](err); ok {
		if strings.Contains(e.Message, "token limit") {
			return refused(ErrTooMuch, nil, "The document is too long.")
		}
		at = position(e)
		if expected, _, ok := strings.Cut(e.Message, ", found"); ok && strings.HasPrefix(expected, "Expected ") {
			message = "The document is not GraphQL: " + expected + "."
		}
	}
	return refused(ErrSyntax, at, message)
}

// most is how many violations are told of.
const most = 20

func violationsOf(found gqlerror.List) failures {
	var all failures
	for _, e := range found {
		f := failure{message: e.Message, code: ErrDocument.Code(), at: position(e)}
		switch e.Rule {
		case rules.ValuesOfCorrectTypeRuleWithoutSuggestions.Name:
			f.message = "A value does not fit what is expected at this place." // theirs repeats the value
		default:
			f.message = strings.TrimSuffix(f.message, ".") + "."
		}
		all = append(all, f)
	}
	slices.SortStableFunc(all, func(a, b failure) int {
		if a.at == nil || b.at == nil {
			return 0
		}
		if a.at.Line != b.at.Line {
			return a.at.Line - b.at.Line
		}
		return a.at.Column - b.at.Column
	})
	return all[:min(len(all), most)]
}

func position(e *gqlerror.Error) *ast.Position {
	if len(e.Locations) == 0 {
		return nil
	}
	return &ast.Position{Line: e.Locations[0].Line, Column: e.Locations[0].Column}
}

// A measure counts what a document asks for, with fragments wherever they are
// used, before anything looks at it twice.
type measure struct {
	limits              Limits
	fragments           ast.FragmentDefinitionList
	selections, aliases int
	within              []string // fragments that are being counted
}

// measure refuses a document that is too deep or too wide.
func (h *Handler) measure(doc *ast.QueryDocument) error {
	m := &measure{limits: h.limits, fragments: doc.Fragments}
	for _, o := range doc.Operations {
		if len(o.SelectionSet) > 0 {
			if err := m.count(o.SelectionSet, 1); err != nil {
				return err
			}
		}
	}
	for _, f := range doc.Fragments { // those that nobody uses are validated too
		if err := m.count(f.SelectionSet, 1); err != nil {
			return err
		}
	}
	return nil
}

func (m *measure) count(set ast.SelectionSet, depth int) error {
	for _, selection := range set {
		at := selection.GetPosition()
		if m.selections++; m.selections > m.limits.Selections {
			return refused(ErrTooMuch, at, "The document asks for too many fields.")
		}
		var err error
		switch s := selection.(type) {
		case *ast.Field:
			if s.Alias != s.Name {
				m.aliases++
			}
			switch {
			case m.aliases > m.limits.Aliases:
				return refused(ErrTooMuch, at, "The document has too many aliases.")
			case depth > m.limits.Depth:
				return refused(ErrTooMuch, at, "The document nests fields too deeply.")
			}
			err = m.count(s.SelectionSet, depth+1)
		case *ast.InlineFragment:
			err = m.count(s.SelectionSet, depth)
		case *ast.FragmentSpread:
			f := m.fragments.ForName(s.Name)
			if f == nil || slices.Contains(m.within, s.Name) {
				continue // the rules say so better
			}
			m.within = append(m.within, s.Name)
			err = m.count(f.SelectionSet, depth)
			m.within = m.within[:len(m.within)-1]
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// conditionsOf returns the variables of @skip and @include.
func conditionsOf(set ast.SelectionSet) []string {
	var names []string
	for _, selection := range set {
		switch s := selection.(type) {
		case *ast.Field:
			names = append(append(names, conditionsAt(s.Directives)...), conditionsOf(s.SelectionSet)...)
		case *ast.InlineFragment:
			names = append(append(names, conditionsAt(s.Directives)...), conditionsOf(s.SelectionSet)...)
		case *ast.FragmentSpread:
			names = append(names, conditionsAt(s.Directives)...)
		}
	}
	return names
}

func conditionsAt(directives ast.DirectiveList) []string {
	var names []string
	for _, d := range directives {
		if a := d.Arguments.ForName("if"); a != nil && a.Value.Kind == ast.Variable {
			names = append(names, a.Value.Raw)
		}
	}
	return names
}
