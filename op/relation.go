package op

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"strings"

	"github.com/ashlar-go/ashlar/rule"
)

// A Relation leads from the values of one type to others: from payments to
// their refunds. Make one with [RelateOne] or [RelateMany]. It is asked for all
// parents of an answer at once, so that a list costs one query more, however
// long it is.
//
// A Relation is an operation of its own: it says who may call it, is limited,
// timed, counted and logged under its name, and runs as the principal of the
// request. Over REST there is none.
type Relation struct{ link *Link }

// Link returns what was declared. It is shared: do not change it.
func (r Relation) Link() *Link { return r.link }

// A Link is everything that was declared about a relation, for whoever derives
// something from it.
type Link struct {
	// Operation answers a [Related] input. Its route is for the transport
	// inside the process.
	Operation Operation
	// Parent is the type that the relation leads from, and Member the name of
	// its member that is the key.
	Parent *rule.Type
	Member string
	// Field is the relation's name on the parent: the last word of its
	// operation's.
	Field string
	// Target is the type of one value that it leads to.
	Target *rule.Type
	// Many says that it leads to a list, of at most Most values for each parent.
	Many bool
	Most int
}

// The bounds of a relation.
const (
	// MaxParents is how many parents a relation is asked about at once. Those
	// beyond are asked about in another call.
	MaxParents = 500
	// StandardRelated is how many values of a list are wanted for each parent
	// if nobody says so.
	StandardRelated = standardPage
)

// Related is the input of a relation's operation.
type Related[K comparable] struct {
	// Keys are those of the parents, each once.
	Keys []K `json:"keys"`
	// Limit is how many values of each are wanted; [StandardRelated] if absent.
	Limit int `json:"limit,omitzero"`
}

// Rules bounds what is asked at once.
func (in *Related[K]) Rules(r *rule.Set) {
	rule.Items(r, &in.Keys).Len(1, MaxParents)
	rule.Number(r, &in.Limit).Between(1, maxPage)
}

// Found is the answer of a relation's operation.
type Found[V any] struct {
	// Ends says for each key, in their order, where its values end in Values.
	Ends []int32 `json:"ends"`
	// Values are those of all keys.
	Values []V `json:"values"`
}

// RelateOne declares that each Parent leads to at most one V: to the one that fn
// returns under the parent's key, or to none. Member is the wire's name of the
// parent's member that is the key; the last word of name is the relation's.
//
//	op.RelateOne[Payment]("payments.payment.merchant", "merchant_id", s.merchantsOf, op.Allow(merchant.Read))
//
// fn gets each key once, and must hold what it returns to what the principal of
// ctx may see.
func RelateOne[Parent any, K comparable, V any](name, member string, fn func(ctx context.Context, keys []K) (map[K]V, error), options ...Option) Relation {
	s := declare[Related[K], Found[V]](IsQuery, name, "GET /"+name, fn == nil, reflect.ValueOf(fn))
	s.NewCall = newCall(func(ctx context.Context, in Related[K]) (Found[V], error) {
		values, err := fn(ctx, in.Keys)
		if err != nil {
			return Found[V]{}, err
		}
		found := Found[V]{Ends: make([]int32, len(in.Keys)), Values: make([]V, 0, len(values))}
		for i, key := range in.Keys {
			if v, there := values[key]; there {
				found.Values = append(found.Values, v)
			}
			found.Ends[i] = int32(len(found.Values))
		}
		return found, nil
	})
	return relate[Parent, K](s, member, &Link{}, options)
}

// RelateMany declares that each Parent leads to several V: to those that fn
// returns under the parent's key, of which fn should read no more than limit for
// each. What it returns beyond is left out.
//
//	op.RelateMany[Payment]("payments.payment.refunds", "id", s.refundsOf, op.Allow(Read))
//
// All else is as [RelateOne] says.
func RelateMany[Parent any, K comparable, V any](name, member string, fn func(ctx context.Context, keys []K, limit int) (map[K][]V, error), options ...Option) Relation {
	s := declare[Related[K], Found[V]](IsQuery, name, "GET /"+name, fn == nil, reflect.ValueOf(fn))
	s.NewCall = newCall(func(ctx context.Context, in Related[K]) (Found[V], error) {
		limit := in.Limit
		if limit == 0 {
			limit = StandardRelated
		}
		values, err := fn(ctx, in.Keys, limit)
		if err != nil {
			return Found[V]{}, err
		}
		found := Found[V]{Ends: make([]int32, len(in.Keys)), Values: make([]V, 0, len(values))}
		for i, key := range in.Keys {
			of := values[key]
			found.Values = append(found.Values, of[:min(len(of), limit)]...)
			found.Ends[i] = int32(len(found.Values))
		}
		return found, nil
	})
	return relate[Parent, K](s, member, &Link{Many: true, Most: maxPage}, options)
}

func relate[Parent any, K comparable](s *Spec, member string, link *Link, options []Option) Relation {
	for _, o := range options {
		o.query(s)
	}
	link.Member, link.Field = member, s.Name[strings.LastIndexByte(s.Name, '.')+1:]
	s.checkRelation(reflect.TypeFor[Parent](), reflect.TypeFor[K](), link)
	if s.Out != nil {
		link.Target = s.Out.Object.Field("values").Type.Elem
	}
	link.Operation = s.finish()
	return Relation{link}
}

func (s *Spec) checkRelation(parent, key reflect.Type, link *Link) {
	if link.Field == s.Name {
		s.mistake("name %q does not say of what the relation is; it is of the form %q", s.Name, "payments.payment.refunds")
	}
	of, err := rule.Describe(parent)
	switch {
	case err != nil:
		s.mistake("parent: %w", err)
		return
	case of.Kind != rule.Object:
		s.mistake("parent %s has no members", parent)
		return
	}
	link.Parent = of
	by := of.Object.Field(link.Member)
	keys, err := rule.Describe(key)
	switch {
	case by == nil:
		s.mistake("the parent %s has no member %q", parent, link.Member)
	case !named(by.Type):
		s.mistake("the member %q of %s is a %s; a key is a text or a whole number", link.Member, parent, by.Type.Go)
	case err != nil:
		s.mistake("key: %w", err)
	case keys.Kind != by.Type.Kind:
		s.mistake("the member %q of %s is a %s, and the function takes keys of type %s", link.Member, parent, by.Type.Go, key)
	}
	if of.Object.Field(link.Field) != nil {
		s.mistake("the parent %s has a member %q already", parent, link.Field)
	}
}

// Relations returns the operations of relations.
func Relations(relations []Relation) []Operation {
	all := make([]Operation, 0, len(relations))
	for _, r := range relations {
		if r.link == nil {
			all = append(all, Operation{})
			continue
		}
		all = append(all, r.link.Operation)
	}
	return all
}

// CheckRelations returns every mistake in the declarations of relations at once,
// as [Check] does for operations, with which they share their names.
func CheckRelations(relations []Relation, operations []Operation) error {
	errs := []error{Check(append(slices.Clone(operations), Relations(relations)...))}
	type place struct {
		parent reflect.Type
		field  string
	}
	taken := map[place]string{}
	for _, r := range relations {
		if r.link == nil || r.link.Parent == nil {
			continue // Check has said so
		}
		at := place{r.link.Parent.Go, r.link.Field}
		if twin := taken[at]; twin != "" {
			errs = append(errs, r.link.Operation.Mistakef("%s has a relation %q already, %s", at.parent, at.field, twin))
		}
		taken[at] = r.link.Operation.Spec().Name
	}
	return errors.Join(errs...)
}
