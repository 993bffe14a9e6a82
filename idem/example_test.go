package idem_test

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/idem"
)

// A bare net/http program over database/sql. The type conn, which makes an
// idem.Conn of a *sql.DB or *sql.Tx, has two methods of five lines; goose
// applies [idem.Migrations].
func Example() {
	db, err := sql.Open("sqlite", ":memory:")
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()
	db.SetMaxOpenConns(1) // each connection to :memory: is a database of its own
	if err := migrate(db); err != nil {
		log.Fatal(err)
	}
	if _, err := db.Exec(`CREATE TABLE transfers (id INTEGER PRIMARY KEY, amount TEXT)`); err != nil {
		log.Fatal(err)
	}

	mux := http.NewServeMux()
	mux.HandleFunc("POST /transfers", transfers{db: db, keys: idem.New(nil)}.post)

	send(mux, "", "100")
	send(mux, "k1", "100")
	send(mux, "k1", "100") // the client did not get the answer, and asks again
	send(mux, "k1", "999")
	send(mux, "k2", "100")
	// Output:
	// 400 {"type":"/problems/idempotency-key-missing","title":"Idempotency key missing","status":400,"code":"idempotency_key_missing"}
	// 201 {"transfer":1}
	// 201 {"transfer":1} (replayed)
	// 422 {"type":"/problems/idempotency-key-reused","title":"Idempotency key reused","status":422,"code":"idempotency_key_reused","detail":"The key was used for another request."}
	// 201 {"transfer":2}
}

type transfers struct {
	db   *sql.DB
	keys *idem.Store
}

func (s transfers) post(w http.ResponseWriter, r *http.Request) {
	response, replayed, err := s.transfer(r)
	if err != nil {
		fault.Write(w, fault.ProblemOf(err, ""))
		return
	}
	if replayed {
		w.Header().Set("Idempotency-Replayed", "true")
	}
	w.Header().Set("Content-Type", response.ContentType)
	w.WriteHeader(response.Status)
	w.Write(response.Body)
}

func (s transfers) transfer(r *http.Request) (response *idem.Response, replayed bool, err error) {
	ctx := r.Context()
	key, err := idem.ParseKey(r.Header[idem.Header])
	if err != nil {
		return nil, false, err
	}
	body, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, 1<<10))
	if err != nil {
		return nil, false, fault.ErrMalformed
	}
	claim, stored, err := s.keys.Begin(ctx, conn{s.db}, idem.Request{
		Principal:   r.Header.Get("X-Client"), // who signed in, in a real program
		Operation:   "transfers.create",
		Key:         key,
		Fingerprint: sha256.Sum256(body),
	})
	if stored != nil || err != nil {
		return stored, true, err
	}
	response, err = s.insert(ctx, claim, string(body))
	if stored, err := claim.Settle(ctx, conn{s.db}, err); stored != nil || err != nil {
		return stored, true, err
	}
	return response, false, nil
}

// insert makes the effect and stores key and response, all in one transaction.
func (s transfers) insert(ctx context.Context, claim *idem.Claim, amount string) (*idem.Response, error) {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return nil, err
	}
	defer tx.Rollback()
	var id int64
	if err := tx.QueryRowContext(ctx, `INSERT INTO transfers (amount) VALUES ($1) RETURNING id`, amount).Scan(&id); err != nil {
		return nil, err
	}
	response := idem.Response{
		Status:      http.StatusCreated,
		ContentType: "application/json",
		Body:        fmt.Appendf(nil, `{"transfer":%d}`, id),
	}
	if err := claim.Finish(ctx, conn{tx}, response); err != nil {
		return nil, err
	}
	return &response, tx.Commit()
}

func send(h http.Handler, key, amount string) {
	r := httptest.NewRequest(http.MethodPost, "/transfers", strings.NewReader(amount))
	if key != "" {
		r.Header.Set(idem.Header, key)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	note := ""
	if w.Header().Get("Idempotency-Replayed") != "" {
		note = " (replayed)"
	}
	fmt.Println(w.Code, w.Body.String()+note)
}

// A payment calls its bank between two transactions. A retry of a run that
// crashed there finds the payment in ctx and goes on with the call.
func ExampleResumed() {
	authorize := func(ctx context.Context) {
		payment, resumed := idem.Resumed(ctx)
		if !resumed {
			payment = "pay_7"
			insert(idem.Phase(ctx, payment), payment)
		}
		fmt.Println("call the bank about", payment)
		record(ctx, payment)
	}
	authorize(context.Background())
	// Output:
	// a transaction that commits the key and reference pay_7
	// call the bank about pay_7
	// a transaction that commits the key and the response
}

func insert(ctx context.Context, _ string) { inTx(ctx) }

func record(ctx context.Context, _ string) { inTx(ctx) }

// inTx stands for whatever ends transactions, and chooses between Phase and
// Finish of the claim.
func inTx(ctx context.Context) {
	if ref, ok := idem.Phased(ctx); ok {
		fmt.Println("a transaction that commits the key and reference", ref)
		return
	}
	fmt.Println("a transaction that commits the key and the response")
}
