package dbtest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/db"
	"github.com/ashlar-go/ashlar/fault"
)

// busy takes connections until there is none left.
func busy(t *testing.T, d *db.DB) {
	const most = 1000 // more than any pool should have
	var taken []db.Rows
	err := error(nil)
	for len(taken) < most {
		var rows db.Rows
		if rows, err = d.Query(t.Context(), `SELECT 1`); err != nil {
			break
		}
		t.Cleanup(func() { _ = rows.Close() })
		taken = append(taken, rows)
	}
	if len(taken) == 0 || !errors.Is(err, db.ErrBusy) {
		t.Fatalf("after %d queries: %v", len(taken), err)
	}
	p := fault.ProblemOf(err, "")
	if p.Status != fault.ErrUnavailable.Status() || p.Code != fault.ErrUnavailable.Code() || p.Detail != "" || len(p.Members) != 0 {
		t.Errorf("a caller is told %+v", p)
	}

	ctx, cancel := context.WithDeadline(t.Context(), time.Now())
	defer cancel()
	_, err = db.One[int](ctx, d, `SELECT 1`)
	if p := fault.ProblemOf(err, ""); errors.Is(err, db.ErrBusy) || p.Status != fault.ErrTimeout.Status() {
		t.Errorf("with an ended deadline: %v, and a caller is told %+v", err, p)
	}

	for _, rows := range taken {
		if err := rows.Close(); err != nil {
			t.Error(err)
		}
	}
	if n, err := db.One[int](t.Context(), d, `SELECT 1`); n != 1 || err != nil {
		t.Errorf("afterwards: %d, %v", n, err)
	}
}
