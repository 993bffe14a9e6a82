package db_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/db"
)

func TestStaleIsSaidAndTakenBack(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	minute := db.Stale(ctx, time.Minute)
	for name, c := range map[string]struct {
		ctx  context.Context
		want time.Duration
	}{
		"never said":       {ctx, 0},
		"said":             {minute, time.Minute},
		"said again":       {db.Stale(minute, time.Second), time.Second},
		"taken back":       {db.Stale(minute, 0), 0},
		"less than that":   {db.Stale(minute, -time.Second), 0},
		"said after that":  {db.Stale(db.Stale(minute, 0), time.Hour), time.Hour},
		"of a ctx of this": {context.WithoutCancel(minute), time.Minute},
	} {
		if got := db.StaleOf(c.ctx); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
	if db.Stale(ctx, 0) != ctx {
		t.Error("nothing is taken back, and costs a ctx")
	}
}

// A torn driver has a replica that breaks off after some rows.
type torn struct {
	loser

	rows, asked int
}

func (d *torn) Query(ctx context.Context, _ string, _ []any) (db.Rows, error) {
	d.asked++
	if db.StaleOf(ctx) > 0 {
		return &some{left: d.rows, err: fmt.Errorf("%w: as it had to replay something", db.ErrReplica)}, nil
	}
	return &some{left: 1}, nil
}

// some rows count down.
type some struct {
	left int
	row  int
	err  error
}

func (s *some) Columns() []string { return []string{"n"} }
func (s *some) Close() error      { return nil }

func (s *some) Next() bool {
	s.row, s.left = s.left, s.left-1
	return s.row > 0
}

func (s *some) Err() error {
	if s.row > 0 {
		return nil
	}
	return s.err
}

func (s *some) Scan(dst ...any) error {
	*dst[0].(*int) = s.row
	return nil
}

// Whoever wants all rows or none begins again with the database itself; whoever
// reads them one by one is told.
func TestAReplicaThatBreaksOff(t *testing.T) {
	t.Parallel()
	for _, rows := range []int{0, 1, 5} {
		driver := &torn{rows: rows}
		d := db.New(driver)
		stale := db.Stale(t.Context(), time.Minute)
		n, err := db.One[int](stale, d, `SELECT n`)
		if rows < 2 && (n != 1 || err != nil || driver.asked != 2) {
			t.Errorf("One of %d rows: %d, %v, asked %d times", rows, n, err, driver.asked)
		}
		if rows > 1 && !errors.Is(err, db.ErrManyRows) {
			t.Errorf("One of %d rows: %d, %v", rows, n, err)
		}
		driver.asked = 0
		all, err := db.All[int](stale, d, `SELECT n`)
		if len(all) != 1 || err != nil || driver.asked != 2 {
			t.Errorf("All of %d rows: %v, %v, asked %d times", rows, all, err, driver.asked)
		}
		each, err := d.Query(stale, `SELECT n`)
		if err != nil {
			t.Fatal(err)
		}
		seen := 0
		for each.Next() {
			seen++
		}
		if seen != rows || !errors.Is(each.Err(), db.ErrReplica) {
			t.Errorf("Query of %d rows: %d, %v", rows, seen, each.Err())
		}
		if err := each.Close(); err != nil {
			t.Error(err)
		}
	}
}
