package scope

import (
	"net/http"

	"github.com/ashlar-go/ashlar/fault"
)

// Refuse answers with err's problem document. Where the response is observed,
// the document names the trace and the access line the code.
func Refuse(w http.ResponseWriter, err error) {
	s := From(w)
	var traceID string
	if s != nil {
		traceID = s.TraceID
	}
	p := fault.ProblemOf(err, traceID)
	if s != nil {
		s.Code = p.Code
	}
	// The failures are a client that is gone, which net/http notices itself,
	// and an extension member that cannot be encoded, which is left out.
	_ = fault.Write(w, p)
}
