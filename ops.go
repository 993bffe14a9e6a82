package ashlar

import (
	"bytes"
	"context"
	"fmt"
	"strings"

	"github.com/ashlar-go/ashlar/auth"
	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/limit"
	"github.com/ashlar-go/ashlar/op"
	"github.com/ashlar-go/ashlar/openapi"
)

// opsCommand prints the resolved table of operations.
type opsCommand struct {
	Access bool `help:"Print who may call what instead: every operation against every role."`
}

func (opsCommand) declared() {}

func (c opsCommand) run(_ context.Context, a *App, io console) error {
	if c.Access {
		io.printf("%s", a.AccessMatrix())
		return nil
	}
	rows := []string{"OPERATION\tROUTE\tACCESS\tROLES\tPROMISES\tFAILS"}
	for _, o := range a.operations {
		s := o.Spec()
		rows = append(rows, strings.Join([]string{
			s.Name, s.Method + " " + s.Path, accessOf(s), strings.Join(a.rolesOf(s), " "), promisesOf(s), failsOf(s),
		}, "\t"))
	}
	if err := io.table(rows...); err != nil {
		return err
	}
	if a.scheme != auth.BearerScheme {
		io.printf("Tokens are sent as Authorization: %s.\n", a.scheme)
	}
	if a.form != nil {
		io.printf("Failures are answered as %s (%s), and as %s where Accept names it.\n", a.form.Type(), a.form.Media(), fault.MediaType)
	}
	return nil
}

func accessOf(s *op.Spec) string {
	if s.Recognizes {
		return s.Access.String() + ", recognized"
	}
	if s.Access != op.ByPermission {
		return s.Access.String()
	}
	names := make([]string, len(s.Permissions))
	for i, p := range s.Permissions {
		names[i] = string(p)
	}
	return strings.Join(names, "+")
}

// rolesOf lists the roles that may call the operation; "-" where a role is
// not what decides.
func (a *App) rolesOf(s *op.Spec) []string {
	if s.Access != op.ByPermission {
		return []string{"-"}
	}
	var roles []string
	needs, err := a.Policy.Register(s.Permissions...)
	if err != nil {
		return []string{err.Error()}
	}
	for _, role := range a.Policy.Roles() {
		if a.Policy.Role(role).Has(needs) {
			roles = append(roles, role)
		}
	}
	if roles == nil {
		return []string{"nobody"}
	}
	return roles
}

func promisesOf(s *op.Spec) string {
	var list []string
	add := func(when bool, format string, args ...any) {
		if when {
			list = append(list, fmt.Sprintf(format, args...))
		}
	}
	add(s.Idempotent > 0, "idempotent(%s)", s.Idempotent)
	add(s.Cached, "cache(%s)", s.CacheFor)
	if k := s.Keep; k != nil {
		add(true, "keep(%s per %s)", k.TTL, k.For)
		add(k.Until != nil, "until(%s)", strings.Join(k.Until, " "))
	}
	add(s.Stale > 0, "stale(%s)", s.Stale)
	add(len(s.Invalidates) > 0, "invalidates(%s)", s.Invalidates)
	add(s.Match == op.HonourMatch, "if-match")
	add(s.Match == op.DemandMatch, "if-match!")
	add(s.Concurrency > 0, "concurrency(%d)", s.Concurrency)
	add(s.CPU, "cpu")
	add(s.IgnoresBody, "ignores-body")
	for _, q := range s.Quotas {
		add(true, "limit(%s per %s)", limit.Per(q.N, q.Per).Burst(q.Burst), q.By)
	}
	add(!s.Deprecated.IsZero(), "deprecated")
	add(list == nil, "-")
	return strings.Join(list, " ")
}

func failsOf(s *op.Spec) string {
	if len(s.Fails) == 0 {
		return "-"
	}
	names := make([]string, len(s.Fails))
	for i, f := range s.Fails {
		names[i] = f.Code()
	}
	return strings.Join(names, " ")
}

// openAPICommand prints the API document.
type openAPICommand struct {
	YAML bool `help:"Print YAML instead of JSON."`
}

func (openAPICommand) declared() {}

func (c openAPICommand) run(_ context.Context, a *App, io console) error {
	doc, err := a.document()
	if err != nil {
		return err
	}
	if c.YAML {
		if doc, err = openapi.YAML(doc); err != nil {
			return err
		}
	}
	_, err = io.out.Write(append(bytes.TrimRight(doc, "\n"), '\n'))
	return err
}
