package scope

import "net/http"

// Report has an observed request reported now: its access line, its metrics,
// its span. A handler that goes on for hours calls it once all is said that
// concerns the request itself. Where nobody observes it does nothing.
func Report(w http.ResponseWriter, r *http.Request) {
	for {
		switch t := w.(type) {
		case interface{ Report(r *http.Request) }:
			t.Report(r)
			return
		case interface{ Unwrap() http.ResponseWriter }:
			w = t.Unwrap()
		default:
			return
		}
	}
}
