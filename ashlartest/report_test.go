package ashlartest_test

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/ashlar-go/ashlar"
	"github.com/ashlar-go/ashlar/ashlartest"
	"github.com/ashlar-go/ashlar/db"
	"github.com/ashlar-go/ashlar/op"
	"github.com/ashlar-go/ashlar/rule"
	"github.com/ashlar-go/ashlar/trace"
)

// vault has an operation that is given a secret, says so in its log, asks its
// database and answers with another secret.
type vault struct {
	db  *db.DB
	log *slog.Logger
}

type deposit struct {
	Owner string `json:"owner"`
	Word  string `json:"word"`
	Inner inner  `json:"inner"`
}

func (d *deposit) Rules(r *rule.Set) { rule.Text(r, &d.Word).Len(1, 100).Secret() }

type inner struct {
	Password string `json:"password"`
}

type receipt struct {
	Owner string `json:"owner"`
	Key   string `json:"key"`
}

func (k *receipt) Rules(r *rule.Set) { rule.Text(r, &k.Key).Secret() }

func (v vault) keep(ctx context.Context, in deposit) (receipt, error) {
	ctx, span := trace.Start(ctx, "close the door")
	defer span.End()
	v.log.InfoContext(ctx, "kept", "owner", in.Owner, "token", "t0p")
	one, err := db.One[struct{ One int64 }](ctx, v.db, `SELECT 1 AS one`)
	if err != nil || one.One != 1 || in.Owner == "nobody" {
		return receipt{}, errNoNote
	}
	return receipt{in.Owner, "k3y"}, nil
}

func openVault(t testing.TB) *ashlartest.App {
	app := ashlartest.Open(t)
	app.Mount(ashlar.Module{Name: "vault", Operations: []op.Operation{
		op.Command("vault.keep", "POST /vault", vault{app.DB, app.App.Log}.keep, op.Allow(write), op.Fails(errNoNote)),
	}})
	return app
}

var keep = ashlartest.Call[receipt]

// An assertion that fails says everything that it knows, but for secrets.
func TestReport(t *testing.T) {
	t.Parallel()
	sound := deposit{Owner: "ann", Word: "w0rd", Inner: inner{"p4ss"}}
	for name, c := range map[string]struct {
		do   func(c *ashlartest.Client)
		want []string
	}{
		"it succeeded": {
			func(c *ashlartest.Client) { keep(c, "vault.keep", sound).Fails(errNoNote) },
			[]string{
				"vault.keep succeeded with 200\n",
				"declared\n    ashlartest/report_test.go:", "by vault.keep of github.com/ashlar-go/ashlar/ashlartest_test",
				"request\n    POST /vault\n", "Authorization: ***\n", "X-Mine: yes\n",
				`{"inner":{"password":"***"},"owner":"ann","word":"***"}`,
				"response\n    200 OK\n", "X-Request-Id: ", `{"key":"***","owner":"ann"}`,
				`"msg":"kept","trace_id":"`, `"owner":"ann","token":"***"}`, `"msg":"request"`,
				"trace\n    vault.keep ", "\n      close the door ", "\n        SELECT",
			},
		},
		"it failed": {
			func(c *ashlartest.Client) {
				in := sound
				in.Owner = "nobody"
				keep(c, "vault.keep", in).OK()
			},
			[]string{"vault.keep answered 404, not 200\n", "response\n    404 Not Found\n", `"code":"note_not_found"`, "trace\n    vault.keep "},
		},
		"it failed otherwise": {
			func(c *ashlartest.Client) { keep(c, "vault.keep", deposit{}).Fails(errNoNote) },
			[]string{"answered 422 invalid, not 404 note_not_found\n", "request\n    POST /vault\n"},
		},
		"it refused something else": {
			func(c *ashlartest.Client) { keep(c, "vault.keep", map[string]any{"owner": 1}).Invalid("/word") },
			[]string{"refused [/inner /owner /word], not [/word]\n", "\n    {\"owner\":1}\n"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			said := failures(t, func(tb testing.TB) {
				c.do(openVault(tb).As("ann", write).With("Authorization", "Bearer b34rer").With("X-Mine", "yes"))
			})
			for _, want := range c.want {
				if !strings.Contains(said, want) {
					t.Errorf("the report has no %q:\n%s", want, said)
				}
			}
			for _, secret := range []string{"w0rd", "p4ss", "k3y", "b34rer", "t0p"} {
				if strings.Contains(said, secret) {
					t.Errorf("the report tells %s:\n%s", secret, said)
				}
			}
		})
	}
}

func TestTraceAndLogOfACall(t *testing.T) {
	t.Parallel()
	app := openVault(t)
	ann := app.As("ann", write)
	keep(ann, "vault.keep", deposit{Owner: "bob", Word: "w"}).OK()
	r := keep(ann.With("X-Request-Id", "my-own-request"), "vault.keep", deposit{Owner: "ann", Word: "w"})
	r.OK()

	tr := r.Trace()
	if got, want := tr.Names(), []string{"vault.keep", "close the door", "SELECT"}; !slices.Equal(got, want) {
		t.Errorf("the spans are %q, want %q\n%s", got, want, tr)
	}
	own, _ := tr.Span("vault.keep")
	door, ok := tr.Span("close the door")
	if !ok || door.Parent != own.ID || door.Duration <= 0 || door.Duration > own.Duration || own.Fact("http.response.status_code") != int64(200) {
		t.Errorf("the spans are %+v", tr.Spans)
	}
	if _, ok := tr.Span("open the door"); ok || own.Fact("what") != nil {
		t.Error("it tells what was not")
	}
	lines := r.Log()
	if len(lines) != 2 || !strings.Contains(lines[0], `"msg":"kept"`) || !strings.Contains(lines[1], `"msg":"request"`) || strings.Contains(strings.Join(lines, ""), "bob") {
		t.Errorf("its lines are %q", lines)
	}
	if all := app.Traces(); len(all) != 2 || all[1].ID != tr.ID {
		t.Errorf("there are %d traces", len(all))
	}
}
