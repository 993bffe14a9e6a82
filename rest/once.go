package rest

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/internal/scope"
	"github.com/ashlar-go/ashlar/op"
)

// precondition returns the context of the call, which carries If-Match where
// the command cares. A header that is there and names no tag carries on too:
// it matches nothing, whereas its sender meant the call to depend on it. For
// the same reason a command refuses a condition that it does not know.
func (h *handler) precondition(ctx context.Context, r *http.Request) (context.Context, error) {
	if h.spec.Kind != op.IsCommand {
		return ctx, nil
	}
	if len(r.Header["If-None-Match"]) > 0 {
		return nil, unconditional("If-None-Match")
	}
	if h.spec.Match == op.NoMatch {
		if len(r.Header["If-Match"]) > 0 {
			return nil, unconditional("If-Match")
		}
		return ctx, nil
	}
	if lines := r.Header["If-Match"]; len(lines) > 0 {
		return op.WithMatch(ctx, listed(lines)), nil
	}
	if h.spec.Match == op.DemandMatch {
		return nil, fault.ErrPrecondition.Because("Send If-Match with the ETag that you read, so that nobody's change is overwritten.")
	}
	return ctx, nil
}

func unconditional(header string) error {
	return fault.ErrMalformed.Because("This operation cannot be made to depend on %s; leave the header out.", header)
}

// listed returns the lines of a list header as the one list that they are
// (RFC 9110, section 5.3).
func listed(lines []string) string {
	if len(lines) == 1 {
		return lines[0]
	}
	return strings.Join(lines, ", ")
}

// serveOnce runs an idempotent command: the stored answer if there is one,
// else the function and then the answer that its transaction stored.
func (h *handler) serveOnce(ctx context.Context, s *scope.Scope, w http.ResponseWriter, r *http.Request, call op.Call, body []byte) error {
	run, err := h.cfg.Idempotency.Begin(ctx, h.attempt(s, r, body))
	if err != nil {
		return err
	}
	answer := run.Replay()
	if answer == nil {
		if answer, err = h.finish(ctx, s, run, call); err != nil {
			return err
		}
	}
	p, refused := refusalIn(*answer)
	s.Code = p.Code
	if refused && fault.FormOf(w) != nil {
		header := scope.Fields(w)
		h.setHeaders(header, "Cache-Control")
		if answer.Replayed {
			header["Idempotency-Replayed"] = replayed
		}
		return fault.Write(w, p)
	}
	return h.send(w, r, *answer)
}

// refusalIn returns the problem that a stored refusal is.
func refusalIn(a Answer) (p fault.Problem, refused bool) {
	if a.ContentType != fault.MediaType {
		return p, false
	}
	_ = json.Unmarshal(a.Body, &p) // it was written here
	return p, true
}

// finish runs the function and ends the run with what became of it. A panic
// ends it too, so that a retry need not wait for the lease.
func (h *handler) finish(ctx context.Context, s *scope.Scope, run Run, call op.Call) (*Answer, error) {
	returned := false
	defer func() {
		if !returned {
			_, _ = run.End(ctx, nil, errPanicked) // the panic goes on to whoever observes
		}
	}()
	var out any
	err := call.Do(run.Context())
	returned = true
	if err == nil {
		out = call.Out()
	} else {
		h.holdContract(err)
	}
	answer, unsettled := run.End(ctx, out, err)
	if err != nil && unsettled == nil && !answer.Replayed {
		// A refusal that was kept is sent as an answer, without its cause.
		h.logFailure(s, fault.ProblemOf(err, ""), err)
	}
	return answer, unsettled
}

var errPanicked = errors.New("the function panicked")

var replayed = []string{"true"}[:1:1]
