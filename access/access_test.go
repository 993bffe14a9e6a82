package access_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/ashlar-go/ashlar/access"
)

const (
	read   access.Permission = "payments:read"
	write  access.Permission = "payments:write"
	refund access.Permission = "payments:refund"
)

// policy grants two roles and knows three permissions.
func policy(t *testing.T) *access.Policy {
	t.Helper()
	p := &access.Policy{}
	for _, err := range []error{p.Grant("merchant", read, write), p.Grant("auditor", read)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if _, err := p.Register(refund); err != nil {
		t.Fatal(err)
	}
	return p
}

func TestRoles(t *testing.T) {
	t.Parallel()
	p := policy(t)
	p.GrantAll("operator")
	p.GrantAll("auditor") // who had something before
	for _, c := range []struct {
		role string
		can  []access.Permission
	}{
		{"merchant", []access.Permission{read, write}},
		{"auditor", []access.Permission{read, refund, write}},
		{"operator", []access.Permission{read, refund, write}},
		{"Merchant", nil},
		{"nobody", nil},
		{"", nil},
	} {
		who := p.Principal("u1", "a1", c.role)
		if got := who.Permissions(); !slices.Equal(got, c.can) || got == nil {
			t.Errorf("%q may %v, want %v", c.role, got, c.can)
		}
		for _, permission := range []access.Permission{read, write, refund, "unheard:of", ""} {
			if got := who.Can(permission); got != slices.Contains(c.can, permission) {
				t.Errorf("%q can %q: %v", c.role, permission, got)
			}
		}
		if p.Knows(c.role) != (c.can != nil) || p.Role(c.role).Empty() != (c.can == nil) {
			t.Errorf("Knows(%q) = %v", c.role, p.Knows(c.role))
		}
	}
	if got := p.Roles(); !slices.Equal(got, []string{"auditor", "merchant", "operator"}) {
		t.Errorf("roles are %v", got)
	}
}

func TestGrantAddsToWhatARoleHas(t *testing.T) {
	t.Parallel()
	p := policy(t)
	if err := p.Grant("auditor", refund, refund); err != nil {
		t.Fatal(err)
	}
	if got := p.Permissions(p.Role("auditor")); !slices.Equal(got, []access.Permission{read, refund}) {
		t.Errorf("got %v", got)
	}
	if err := p.Grant("guest"); err != nil || !p.Knows("guest") || !p.Role("guest").Empty() {
		t.Errorf("a role without permissions: %v %v", err, p.Roles())
	}
}

func TestGrantAllIncludesWhatIsRegisteredLater(t *testing.T) {
	t.Parallel()
	p := &access.Policy{}
	p.GrantAll("operator")
	if !p.Role("operator").Empty() {
		t.Error("a policy without permissions grants some")
	}
	late, err := p.Register("late:read")
	if err != nil || !p.Role("operator").Has(late) || !p.Principal("u", "", "operator").Can("late:read") {
		t.Errorf("the operator may %v (%v)", p.Permissions(p.Role("operator")), err)
	}
}

func TestTheZeroPolicyGrantsNothing(t *testing.T) {
	t.Parallel()
	var p access.Policy
	who := p.Principal("u", "a", "operator")
	if who.Can(read) || !who.Granted.Empty() || len(who.Permissions()) != 0 || p.Knows("operator") || len(p.Roles()) != 0 || !p.Set(read).Empty() {
		t.Errorf("the zero policy grants %v", who)
	}
}

func TestAPolicyHoldsExactly256Permissions(t *testing.T) {
	t.Parallel()
	p := &access.Policy{}
	var names []access.Permission
	for i := range 256 {
		names = append(names, access.Permission(fmt.Sprintf("thing%03d:do", i)))
	}
	if err := p.Grant("all", names...); err != nil {
		t.Fatal(err)
	}
	if err := p.Grant("all", names...); err != nil {
		t.Fatalf("known permissions are refused: %v", err)
	}
	if _, err := p.Register("thing256:do"); err == nil || !strings.Contains(err.Error(), `"thing256:do"`) || !strings.Contains(err.Error(), "256") {
		t.Errorf("the 257th permission: %v", err)
	}
	if err := p.Grant("late", "thing256:do"); err == nil || p.Knows("late") {
		t.Errorf("a role was granted the 257th permission: %v", err)
	}
	// Each bit is its own: a holder of one permission has none of the others.
	all := p.Principal("u", "", "all")
	for i, name := range names {
		one := p.Holder("h", "", name)
		if !all.Can(name) || !one.Can(name) || one.Can(names[(i+1)%256]) || one.Can(names[(i+64)%256]) || !all.Granted.Has(one.Granted) || one.Granted.Has(all.Granted) {
			t.Fatalf("%s is not a permission of its own", name)
		}
		if got := one.Permissions(); len(got) != 1 || got[0] != name {
			t.Fatalf("the holder of %s has %v", name, got)
		}
	}
	if got := all.Permissions(); !slices.Equal(got, names) {
		t.Errorf("not all permissions are listed: %d", len(got))
	}
}

func TestAPermissionNeedsAName(t *testing.T) {
	t.Parallel()
	p := &access.Policy{}
	if set, err := p.Register(read, ""); err == nil || !set.Empty() {
		t.Errorf("got %v %v", set, err)
	}
	if err := p.Grant("merchant", ""); err == nil || p.Knows("merchant") {
		t.Errorf("got %v", err)
	}
}

func TestHolder(t *testing.T) {
	t.Parallel()
	p := policy(t)
	key := p.Holder("key_1", "a1", write, "dropped:in-a-later-release")
	if !key.Can(write) || key.Can(read) || key.ID != "key_1" || key.Account != "a1" || key.Role != "" || key.Anonymous() {
		t.Errorf("got %+v", key)
	}
	if key.Can("dropped:in-a-later-release") {
		t.Error("an unknown permission was granted")
	}
}

// TestScopedNeverWidens draws policies, principals and scopes: a scoped
// principal may exactly what both the principal and the scope allow.
func TestScopedNeverWidens(t *testing.T) {
	t.Parallel()
	some := rapid.SliceOfN(rapid.Map(rapid.IntRange(0, 130), func(i int) access.Permission {
		return access.Permission(fmt.Sprintf("p%d", i))
	}), 0, 130)
	rapid.Check(t, func(t *rapid.T) {
		p := &access.Policy{}
		if err := p.Grant("role", some.Draw(t, "granted")...); err != nil {
			t.Fatal(err)
		}
		if _, err := p.Register(some.Draw(t, "registered")...); err != nil {
			t.Fatal(err)
		}
		if rapid.Bool().Draw(t, "all") {
			p.GrantAll("role")
		}
		who := p.Principal("u1", "a1", "role")
		scope := some.Draw(t, "scope")
		scoped := p.Scoped(who, scope...)
		for _, permission := range slices.Concat(who.Permissions(), scope, some.Draw(t, "others")) {
			if want := who.Can(permission) && slices.Contains(scope, permission); scoped.Can(permission) != want {
				t.Fatalf("scoped can %s: %v, who can: %v", permission, !want, who.Can(permission))
			}
		}
		if !who.Granted.Has(scoped.Granted) || p.Scoped(scoped, who.Permissions()...) != scoped {
			t.Fatal("a scope was widened")
		}
		if scoped.ID != who.ID || scoped.Account != who.Account || scoped.Role != who.Role {
			t.Fatalf("the scoped principal is another: %+v", scoped)
		}
		if got := p.Scoped(access.Principal{}, scope...); !got.Granted.Empty() || !got.Anonymous() {
			t.Fatalf("nobody was given %v", got.Permissions())
		}
	})
}

func TestSets(t *testing.T) {
	t.Parallel()
	p := policy(t)
	var none access.Set
	rw, r := p.Set(read, write), p.Set(read)
	for name, holds := range map[string]bool{
		"a set has itself":              rw.Has(rw),
		"and its parts":                 rw.Has(r),
		"and nothing":                   rw.Has(none) && none.Has(none),
		"a part has not all":            !r.Has(rw),
		"nothing has nothing else":      !none.Has(r),
		"And keeps what both have":      rw.And(r) == r && rw.And(none) == none,
		"Or keeps what either has":      r.Or(p.Set(write)) == rw && none.Or(r) == r,
		"neither changes its receiver":  rw == p.Set(write, read),
		"only the zero set is empty":    none.Empty() && !r.Empty(),
		"a set of unknown ones is zero": p.Set("x", "y").Empty(),
	} {
		if !holds {
			t.Error(name, "does not hold")
		}
	}
}

func TestPrincipalOfAContext(t *testing.T) {
	t.Parallel()
	p := policy(t)
	who := p.Principal("u1", "a1", "merchant")
	ctx := access.With(t.Context(), who)
	if got := access.From(ctx); got != who || !got.Can(write) {
		t.Errorf("got %+v", got)
	}
	if inner := access.From(access.With(ctx, p.Holder("u2", ""))); inner.ID != "u2" || inner.Can(read) {
		t.Errorf("the inner principal is %+v", inner)
	}
}

func TestWithoutAPrincipal(t *testing.T) {
	t.Parallel()
	for name, ctx := range map[string]context.Context{
		"no principal":           t.Context(),
		"a nil principal":        context.WithValue(t.Context(), access.Key{}, (*access.Principal)(nil)),
		"another type":           context.WithValue(t.Context(), access.Key{}, "admin"),
		"the zero of With":       access.With(t.Context(), access.Principal{}),
		"a value, not a pointer": context.WithValue(t.Context(), access.Key{}, access.Principal{ID: "u"}),
	} {
		got := access.From(ctx)
		if !got.Anonymous() || got.Can(read) || got.Can("") || got.Permissions() == nil || len(got.Permissions()) != 0 {
			t.Errorf("%s: got %+v", name, got)
		}
	}
}

func TestACheckAllocatesNothing(t *testing.T) {
	p := policy(t)
	ctx := access.With(context.Background(), p.Principal("u1", "a1", "merchant"))
	needs := p.Set(read, write)
	if n := testing.AllocsPerRun(100, func() {
		who := access.From(ctx)
		if !who.Granted.Has(needs) || !who.Can(write) || who.Can(refund) {
			t.Fatal("wrong answer")
		}
	}); n != 0 {
		t.Errorf("a check costs %v allocations", n)
	}
}

func BenchmarkCheck(b *testing.B) {
	p := &access.Policy{}
	if err := p.Grant("merchant", read, write); err != nil {
		b.Fatal(err)
	}
	who, needs := p.Principal("u1", "a1", "merchant"), p.Set(write)
	b.ReportAllocs()
	for b.Loop() {
		if !who.Granted.Has(needs) {
			b.Fatal("refused")
		}
	}
}
