package op_test

import (
	"slices"
	"testing"

	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/op"
)

// TestRanks: cheap reads are the last to go, and a storm of sign-ins goes
// before the work of those who are signed in.
func TestRanks(t *testing.T) {
	t.Parallel()
	fn := answer[byID, note]
	for what, c := range map[string]struct {
		o    op.Operation
		want op.Rank
	}{
		"a query":           {op.Query("a", "GET /a", fn, op.Authenticated()), op.High},
		"a public query":    {op.Query("a", "GET /a", fn, op.Public()), op.Normal},
		"a command":         {op.Command("a", "POST /a", fn, op.Allow(read)), op.Normal},
		"a public command":  {op.Command("a", "POST /a", fn, op.Public()), op.Low},
		"a stream":          {op.Stream("a", "GET /a", items[byID, note], op.Authenticated()), op.High},
		"a report":          {op.Query("a", "GET /a", fn, op.Authenticated(), op.Priority(op.Low)), op.Low},
		"what others need":  {op.Command("a", "POST /a", fn, op.Priority(op.Always), op.Public()), op.Always},
		"by a team's own":   {op.Command("a", "POST /a", fn, op.Options(op.Public(), op.Priority(op.High))), op.High},
		"a mistaken access": {op.Query("a", "GET /a", fn), op.High},
	} {
		s := c.o.Spec()
		if s.Priority != c.want {
			t.Errorf("%s is %s, want %s", what, s.Priority, c.want)
		}
		promised := slices.ContainsFunc(s.Faults(), func(f fault.Coded) bool { return f.Code() == fault.ErrOverloaded.Code() })
		if promised != (c.want != op.Always) {
			t.Errorf("%s: that it may be refused is in its contract: %v", what, promised)
		}
	}
}
