package shop

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"time"
)

// Handler has the business as net/http handlers, for the peers that are built
// of those. Validate is how a peer checks an order.
type Handler struct {
	Store    *Store
	Validate func(*Order) error
}

// Quote validates an order and answers what it would become.
func (h Handler) Quote(w http.ResponseWriter, r *http.Request) {
	if in, ok := h.order(w, r); ok {
		Reply(w, http.StatusCreated, Quote(in))
	}
}

// Create stores an order.
func (h Handler) Create(w http.ResponseWriter, r *http.Request) {
	in, ok := h.order(w, r)
	if !ok {
		return
	}
	p, err := h.Store.Insert(r.Context(), in)
	reply(w, http.StatusCreated, p, err)
}

func (h Handler) order(w http.ResponseWriter, r *http.Request) (*Order, bool) {
	in := new(Order)
	if err := json.NewDecoder(r.Body).Decode(in); err != nil {
		status := http.StatusBadRequest
		if tooLarge := new(http.MaxBytesError); errors.As(err, &tooLarge) {
			status = http.StatusRequestEntityTooLarge
		}
		Refuse(w, status)
		return nil, false
	}
	if err := h.Validate(in); err != nil {
		Refuse(w, http.StatusUnprocessableEntity)
		return nil, false
	}
	return in, true
}

// Get reads a payment by key.
func (h Handler) Get(w http.ResponseWriter, r *http.Request) {
	p, err := h.Store.Find(r.Context(), r.PathValue("id"))
	reply(w, http.StatusOK, p, err)
}

// Cached reads it through the cache.
func (h Handler) Cached(w http.ResponseWriter, r *http.Request) {
	p, err := h.Store.Cached(r.Context(), r.PathValue("id"))
	reply(w, http.StatusOK, p, err)
}

// List answers a page.
func (h Handler) List(w http.ResponseWriter, r *http.Request) {
	limit, err := strconv.Atoi(r.URL.Query().Get("limit"))
	if err != nil || limit < 1 || limit > 100 {
		Refuse(w, http.StatusUnprocessableEntity)
		return
	}
	page, err := h.Store.List(r.Context(), "mer_1", r.URL.Query().Get("cursor"), limit)
	reply(w, http.StatusOK, page, err)
}

// State200 is the tiny answer.
func State200(w http.ResponseWriter, _ *http.Request) { Reply(w, http.StatusOK, OK) }

// BurnCPU works for as many rounds as it is asked to.
func BurnCPU(w http.ResponseWriter, r *http.Request) {
	rounds, err := strconv.Atoi(r.URL.Query().Get("rounds"))
	if err != nil || rounds < 1 || rounds > MostRounds {
		Refuse(w, http.StatusUnprocessableEntity)
		return
	}
	Reply(w, http.StatusOK, Burn(rounds))
}

// Events is a stream on which nothing happens.
func Events(w http.ResponseWriter, r *http.Request) {
	control := http.NewResponseController(w)
	if control.SetWriteDeadline(time.Time{}) != nil { // a stream outlives the server's time-out
		Refuse(w, http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusOK)
	Stream(r.Context(), func(line string) error {
		if _, err := w.Write([]byte(line)); err != nil {
			return err
		}
		return control.Flush()
	})
}

// Stream says that it is there, again and again, until the client leaves.
func Stream(ctx context.Context, write func(string) error) {
	beat := time.NewTicker(Beat)
	defer beat.Stop()
	for write(": here\n\n") == nil {
		select {
		case <-beat.C:
		case <-ctx.Done():
			return
		}
	}
}

// StreamTo is Stream on a buffered writer.
func StreamTo(ctx context.Context, w *bufio.Writer) {
	Stream(ctx, func(line string) error {
		if _, err := w.WriteString(line); err != nil {
			return err
		}
		return w.Flush()
	})
}

func reply(w http.ResponseWriter, status int, body any, err error) {
	switch {
	case err == nil:
		Reply(w, status, body)
	case errors.Is(err, ErrNotFound):
		Refuse(w, http.StatusNotFound)
	default:
		Refuse(w, http.StatusInternalServerError)
	}
}

// Reply answers JSON.
func Reply(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // a client that is gone reads no error either
}

// Problem is what is answered to a request that is refused.
type Problem struct {
	Status int    `json:"status"`
	Title  string `json:"title"`
}

// ProblemOf says a status in words.
func ProblemOf(status int) Problem { return Problem{status, http.StatusText(status)} }

// Refuse answers a problem.
func Refuse(w http.ResponseWriter, status int) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(ProblemOf(status)) // see Reply
}
