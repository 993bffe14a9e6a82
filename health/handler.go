package health

import (
	"encoding/json"
	"net/http"
	"strconv"
)

// Handler answers GET and HEAD of /livez, /readyz and /startupz: 200 or 503
// with a JSON body that names the checks and how they stand, and nothing of
// why. It belongs on a listener that the public does not reach.
func (c *Checks) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, Report{Status: OK})
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		answer(w, c.Ready(r.Context()))
	})
	mux.HandleFunc("GET /startupz", func(w http.ResponseWriter, _ *http.Request) {
		if c.started.Load() {
			answer(w, Report{Status: OK})
		} else {
			answer(w, Report{Status: Starting})
		}
	})
	return mux
}

func answer(w http.ResponseWriter, r Report) {
	body, err := json.Marshal(r)
	if err != nil {
		http.Error(w, "", http.StatusInternalServerError) // a map of words always encodes
		return
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	h.Set("Cache-Control", "no-store")
	if r.Status != OK {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	_, _ = w.Write(body) // a prober that is gone does not mind
}
