package serve

import (
	"net/http"

	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/internal/scope"
)

// refuse answers with err's problem document, and notes its code for the
// access line when the response is observed.
func refuse(w http.ResponseWriter, err error) {
	var traceID string
	s := scope.From(w)
	if s != nil {
		traceID = s.TraceID
	}
	p := fault.ProblemOf(err, traceID)
	if s != nil {
		s.Code = p.Code
	}
	// The only failures are a client that is gone, which net/http notices
	// itself, and bad extension members, of which there are none here.
	_ = fault.Write(w, p)
}
