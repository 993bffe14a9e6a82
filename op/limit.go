package op

import (
	"context"
	"reflect"
	"regexp"
	"strconv"
	"time"
)

// A Quota is one bound of how often an operation may be called; see [Limit].
type Quota struct {
	// Name is what clients see in the RateLimit fields: the operation's name,
	// or what [Shared] says. Quotas of one name are one.
	Name string
	// N calls may be made in each period Per, and Burst at once.
	N, Burst int
	Per      time.Duration
	// By says whose calls are counted together.
	By CountBy
	// Key returns whose call it is, when By is [CountByKey]. It takes a pointer to
	// the input.
	Key func(ctx context.Context, in any) string

	shared, counted bool         // Shared was said, and how to count
	in              reflect.Type // that Key takes
}

// CountBy says whose calls a [Quota] counts together.
type CountBy uint8

// Calls are counted for each principal, each account of principals, each
// address of clients, all together, or as [PerKey] says. Where nobody is signed
// in, principal and account mean the address.
const (
	CountByPrincipal CountBy = iota
	CountByAccount
	CountByAddress
	CountByOperation
	CountByKey
)

func (b CountBy) String() string {
	return [...]string{"principal", "account", "address", "operation", "key"}[b]
}

// Limit bounds how often the operation may be called: n times in each period,
// by each principal or, where nobody is signed in, from each address. A call
// beyond that gets 429 before its body is read, and is told when to come back.
// Several limits hold all together. They come on top of those that an app has
// for all operations; answers of an operation with a limit of its own carry
// the RateLimit fields.
func Limit(n int, period time.Duration, options ...LimitOption) Option {
	return anyOption(func(s *Spec) {
		q := Quota{N: n, Per: period, Burst: n}
		for _, o := range options {
			if o != nil {
				o(s, &q)
			}
		}
		switch {
		case n < 1:
			s.mistake("Limit(%d, %v) lets nobody in", n, period)
		case period <= 0 || time.Duration(n) > period:
			s.mistake("Limit(%d, %v): the period is too short; one call a nanosecond is the most", n, period)
		case q.Burst < 1:
			s.mistake("Burst(%d) lets nobody in", q.Burst)
		}
		if !q.shared {
			q.Name = s.Name
			if len(s.Quotas) > 0 {
				q.Name += "-" + strconv.Itoa(len(s.Quotas)+1)
			}
		}
		s.Quotas = append(s.Quotas, q)
	})
}

// A LimitOption says something about a [Limit].
type LimitOption func(*Spec, *Quota)

// Burst lets another number of calls come at once than the n of the [Limit];
// in the long run it remains the same.
func Burst(n int) LimitOption { return func(_ *Spec, q *Quota) { q.Burst = n } }

// PerAccount counts the calls of all principals of an account together.
func PerAccount() LimitOption { return countBy(CountByAccount) }

// PerAddress counts the calls from one address, whoever makes them.
func PerAddress() LimitOption { return countBy(CountByAddress) }

// PerOperation counts all calls together, whoever makes them.
func PerOperation() LimitOption { return countBy(CountByOperation) }

// PerKey counts the calls together for which key returns the same text. It is
// given the operation's input, so such a limit is asked when the input was
// read and found valid:
//
//	op.Limit(3, time.Hour, op.PerKey(func(_ context.Context, in Reset) string { return in.Email }))
func PerKey[In any](key func(ctx context.Context, in In) string) LimitOption {
	return func(s *Spec, q *Quota) {
		countBy(CountByKey)(s, q)
		if key == nil {
			s.mistake("PerKey has no function")
			return
		}
		q.Key = func(ctx context.Context, in any) string { return key(ctx, *in.(*In)) }
		q.in = reflect.TypeFor[In]()
	}
}

// Shared gives the limit a name; all operations with a limit of that name
// draw on one quota, and must declare it alike.
func Shared(name string) LimitOption {
	return func(s *Spec, q *Quota) {
		if !quotaForm.MatchString(name) {
			s.mistake("Shared(%q): the name is not of the form %q", name, "sign_in")
		}
		q.Name, q.shared = name, true
	}
}

// quotaForm is what the name of a shared quota looks like.
var quotaForm = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)

func countBy(by CountBy) LimitOption {
	return func(s *Spec, q *Quota) {
		if q.counted {
			s.mistake("Limit says twice whose calls it counts; use one of PerAccount, PerAddress, PerOperation and PerKey")
		}
		q.By, q.counted = by, true
	}
}

// CountsInput reports whether a quota of the operation needs its input.
func (s *Spec) CountsInput() bool {
	for i := range s.Quotas {
		if s.Quotas[i].By == CountByKey {
			return true
		}
	}
	return false
}

// checkQuotas finds what the options of one limit cannot see.
func (s *Spec) checkQuotas() {
	for _, q := range s.Quotas {
		if q.in != nil && s.In != nil && q.in != s.In.Go {
			s.mistake("PerKey takes a %s, but the input is a %s", q.in, s.In.Go)
		}
	}
}

// checkShared finds shared quotas that are not declared alike, or that bear the
// name of an operation, whose own quota has it.
func checkShared(operations []Operation, named map[string]*Spec) (errs []error) {
	first, source := map[string]*Quota{}, map[string]string{}
	for _, o := range operations {
		if o.spec == nil {
			continue
		}
		for i := range o.spec.Quotas {
			q := &o.spec.Quotas[i]
			if !q.shared {
				continue
			}
			f := first[q.Name]
			switch {
			case named[q.Name] != nil:
				errs = append(errs, o.Mistakef("shares a limit %q, which is the name of the operation at %s", q.Name, named[q.Name].Source))
			case f == nil:
				first[q.Name], source[q.Name] = q, o.spec.Source
			case f.N != q.N || f.Per != q.Per || f.Burst != q.Burst || f.By != q.By:
				errs = append(errs, o.Mistakef("shares the limit %q with the operation at %s, but declares it otherwise", q.Name, source[q.Name]))
			}
		}
	}
	return errs
}
