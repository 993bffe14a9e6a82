package op_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ashlar-go/ashlar/op"
	"github.com/ashlar-go/ashlar/rule"
)

// secretive is an input with something that nobody must write down.
type secretive struct {
	ID    string `json:"id"`
	Token string `json:"token"`
}

func (in *secretive) Rules(r *rule.Set) { rule.Text(r, &in.Token).Len(1, 9).Secret() }

func TestKeepSaysHowAnswersAreKept(t *testing.T) {
	t.Parallel()
	fn := answer[byID, note]
	for what, c := range map[string]struct {
		o    op.Operation
		want *op.Keeping
		tags string
	}{
		"only by the caller": {op.Query("a", "GET /{id}", fn, op.Authenticated(), op.Cache(time.Second)), nil, ""},
		"for each principal": {
			op.Query("a", "GET /{id}", fn, op.Authenticated(), op.Cache(0, op.Keep(time.Minute), op.Tags("note/{id}", "notes"), nil)),
			&op.Keeping{TTL: time.Minute}, "note/{id} notes",
		},
		"for all": {
			op.Query("a", "GET /{id}", fn, op.Public(), op.Fails(errNoNote),
				op.Cache(time.Hour, op.OneForEveryone(), op.Renew(2), op.OnError(3), op.Missing(4), op.Keep(1))),
			&op.Keeping{TTL: 1, Renew: 2, OnError: 3, Missing: 4, For: op.ForEveryone}, "",
		},
		"until something happens": {
			op.Query("a", "GET /{id}", fn, op.Allow("a"), op.Cache(0, op.Keep(1), op.Until("note.*", "{id}"), op.Until("user.left", "u/{id}"))),
			&op.Keeping{TTL: 1, Until: []string{"note.*", "user.left"}}, "note.*/{id} user.left/u/{id}",
		},
		"for an account": {
			op.Query("a", "GET /{id}", fn, op.Allow("a"), op.Cache(0, op.Keep(1), op.OneForAccount())),
			&op.Keeping{TTL: 1, For: op.ForAccount}, "",
		},
	} {
		if err := op.Check([]op.Operation{c.o}); err != nil {
			t.Errorf("%s: %v", what, err)
		}
		got := c.o.Spec().Keep
		if (got == nil) != (c.want == nil) || !c.o.Spec().Cached {
			t.Errorf("%s: %+v", what, got)
			continue
		}
		if got == nil {
			continue
		}
		if got.Tags.String() != c.tags {
			t.Errorf("%s: the tags are %v", what, got.Tags)
		}
		plain := *got
		plain.Tags = nil
		if diff := cmp.Diff(*c.want, plain); diff != "" {
			t.Errorf("%s: (-want +got)\n%s", what, diff)
		}
	}
}

func TestTagsAreMadeOfTheInput(t *testing.T) {
	t.Parallel()
	type in struct {
		ID    string  `json:"id"`
		N     int8    `json:"n"`
		U     uint64  `json:"u"`
		Own   ownText `json:"own"`
		Other string  `json:"other"`
	}
	o := op.Command("a", "POST /{id}", answer[in, note], op.Authenticated(),
		op.Invalidates("plain", "{id}", "note/{id}/{n}"), op.Invalidates("{own}{u}-"))
	if err := op.Check([]op.Operation{o}); err != nil {
		t.Fatal(err)
	}
	got, err := o.Spec().Invalidates.Of(&in{ID: "a{b}/ü", N: -3, U: 1 << 63, Own: ownText{"x"}})
	want := []string{"plain", "a{b}/ü", "note/a{b}/ü/-3", "x9223372036854775808-"}
	if !slices.Equal(got, want) || err != nil {
		t.Errorf("got %q, %v; want %q", got, err, want)
	}
}

func TestKeepIsRefusedWhereItContradictsTheRest(t *testing.T) {
	t.Parallel()
	fn, signed, keep := answer[byID, note], op.Authenticated(), op.Keep(time.Minute)
	many := make([]string, 17)
	for _, c := range []mistaken{
		{"for no time", op.Query("k.a", "GET /ka", fn, signed, op.Cache(0, op.Keep(0))), here(), []string{"Keep(0s) keeps nothing"}},
		{"how, and not how long", op.Query("k.b", "GET /kb", fn, signed, op.Cache(0, op.Tags("a"))), here(), []string{"add op.Keep"}},
		{"for nobody", op.Query("k.c", "GET /kc", fn, op.Public(), op.Cache(0, keep)), here(), []string{"a Public operation knows none; add op.OneForEveryone"}},
		{"for no account", op.Query("k.d", "GET /kd", fn, op.Public(), op.Cache(0, keep, op.OneForAccount())), here(), []string{"knows no account"}},
		{"for two", op.Query("k.e", "GET /ke", fn, signed, op.Cache(0, keep, op.OneForAccount(), op.OneForEveryone())), here(), []string{"twice for whom"}},
		{"a file", op.Query("k.f", "GET /kf", answer[byID, op.File], signed, op.Cache(0, keep)), here(), []string{"cannot keep a File"}},
		{"no fault to keep", op.Query("k.g", "GET /kg", fn, signed, op.Cache(0, keep, op.Missing(1))), here(), []string{"status 404, and Fails lists none"}},
		{"no effect", op.Query("k.h", "GET /kh", fn, signed, op.Fails(errNoNote), op.Cache(0, keep, op.Renew(0), op.OnError(-1), op.Missing(0))), here(), []string{"Renew(0s)", "OnError(-1ns)", "Missing(0s)"}},
		{"no topic", op.Query("k.t", "GET /kt", fn, signed, op.Cache(0, keep, op.Until("*", "{id}"), op.Until("a.*.b", "{id}"), op.Until("", "{id}"))), here(), []string{`Until("*") is no topic`, `Until("a.*.b")`, `Until("")`}},
		{"an event of anything", op.Query("k.u", "GET /ku", fn, signed, op.Cache(0, keep, op.Until("note.*", ""))), here(), []string{"needs the key of the events"}},
		{"a key of nothing", op.Query("k.v", "GET /kv", fn, signed, op.Cache(0, keep, op.Until("note.*", "{nope}"))), here(), []string{"names {nope}"}},
		{"no tag", op.Query("k.i", "GET /ki", fn, signed, op.Cache(0, keep, op.Tags())), here(), []string{"Tags names no tag"}},
		{"an empty tag", op.Query("k.j", "GET /kj", fn, signed, op.Cache(0, keep, op.Tags("a", ""))), here(), []string{`Tags "" is not of the form`}},
		{"a tag of nothing", op.Query("k.k", "GET /kk", fn, signed, op.Cache(0, keep, op.Tags("a/{nope}"))), here(), []string{"names {nope}"}},
		{"an open tag", op.Query("k.l", "GET /kl", fn, signed, op.Cache(0, keep, op.Tags("a/{id"))), here(), []string{"names {id"}},
		{"a closed tag", op.Query("k.m", "GET /km", fn, signed, op.Cache(0, keep, op.Tags("a/id}"))), here(), []string{"is not of the form"}},
		{"an optional member", op.Command("k.n", "PUT /kn", answer[manyKinds, note], signed, op.Invalidates("a/{Optional}")), here(), []string{"names {Optional}"}},
		{"a list", op.Command("k.o", "PUT /ko", answer[manyKinds, note], signed, op.Invalidates("a/{list}")), here(), []string{"names {list}"}},
		{"a secret", op.Command("k.p", "PUT /kp", answer[secretive, note], signed, op.Invalidates("a/{token}")), here(), []string{"a secret, which would be written down"}},
		{"nothing to drop", op.Command("k.q", "PUT /kq", fn, signed, op.Invalidates()), here(), []string{"Invalidates names no tag"}},
		{"too many tags", op.Command("k.r", "PUT /kr", fn, signed, op.Invalidates(many...)), here(), []string{"names 17 tags; 16 are the most"}},
		{"of no input", op.Command("k.s", "PUT /ks", answer[string, note], signed, op.Invalidates("a/{id}")), here(), []string{"input string is not a struct"}},
	} {
		t.Run(c.what, func(t *testing.T) {
			t.Parallel()
			holdMistakes(t, op.Check([]op.Operation{c.o}), c)
		})
	}
}
