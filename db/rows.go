package db

import (
	"context"
	"errors"
	"time"

	"github.com/ashlar-go/ashlar/db/internal/row"
)

// One returns the single row of a query as a T: a struct whose fields match
// the columns by name, or one value for a query of one column. No row is
// [ErrNoRows] and a second one [ErrManyRows].
//
// A field's name is its `db` tag, else its `json` name, else its own name in
// snake_case; `db:"-"` hides it; fields of embedded structs count as the
// struct's own. Every column must have a field; fields without a column keep
// their zero value. Maps, slices and structs are read from JSON.
func One[T any](ctx context.Context, q Querier, sql string, args ...any) (T, error) {
	began, seen := time.Time{}, watched(q)
	if seen != nil {
		began = time.Now()
	}
	out, err := one[T](ctx, q, sql, args)
	if errors.Is(err, ErrReplica) {
		out, err = one[T](Stale(ctx, 0), q, sql, args)
	}
	if d, ok := q.(*DB); ok && errors.Is(err, ErrWrites) {
		return InTx(ctx, d, func(tx *Tx) (T, error) { return One[T](ctx, tx, sql, args...) })
	}
	if seen != nil {
		seen.tell(ctx, Query, within(q), sql, began, err)
	}
	return out, err
}

func one[T any](ctx context.Context, q Querier, sql string, args []any) (T, error) {
	var out T
	rows, err := query(ctx, q, sql, args)
	if err != nil {
		return out, err
	}
	defer rows.Close()

	if !rows.Next() {
		if err := rows.Err(); err != nil {
			return out, err
		}
		return out, ErrNoRows
	}
	s, err := scanner[T](q, sql, rows)
	if err != nil {
		return out, err
	}
	if err := row.Scan(s, rows, &out); err != nil {
		return out, err
	}
	if rows.Next() {
		var zero T
		return zero, ErrManyRows
	}
	if err := rows.Err(); err != nil {
		var zero T
		return zero, err
	}
	return out, nil
}

// All returns every row of a query as [One] does with one: never a nil slice
// unless there is an error. It holds the whole result in memory, so give the
// query a LIMIT when its size is not known.
func All[T any](ctx context.Context, q Querier, sql string, args ...any) ([]T, error) {
	began, seen := time.Time{}, watched(q)
	if seen != nil {
		began = time.Now()
	}
	out, err := all[T](ctx, q, sql, args)
	if errors.Is(err, ErrReplica) {
		out, err = all[T](Stale(ctx, 0), q, sql, args)
	}
	if d, ok := q.(*DB); ok && errors.Is(err, ErrWrites) {
		return InTx(ctx, d, func(tx *Tx) ([]T, error) { return All[T](ctx, tx, sql, args...) })
	}
	if seen != nil {
		seen.tell(ctx, Query, within(q), sql, began, err)
	}
	return out, err
}

func all[T any](ctx context.Context, q Querier, sql string, args []any) ([]T, error) {
	rows, err := query(ctx, q, sql, args)
	if err != nil {
		return nil, err
	}
	defer rows.Close()

	out := []T{}
	if !rows.Next() {
		return orError(out, rows.Err())
	}
	s, err := scanner[T](q, sql, rows)
	if err != nil {
		return nil, err
	}
	for {
		var zero T
		out = append(out, zero)
		if err := row.Scan(s, rows, &out[len(out)-1]); err != nil {
			return nil, err
		}
		if !rows.Next() {
			return orError(out, rows.Err())
		}
	}
}

func orError[T any](out []T, err error) ([]T, error) {
	if err != nil {
		return nil, err
	}
	return out, nil
}

// Exec runs a statement and returns how many rows it inserted, updated or
// deleted.
func Exec(ctx context.Context, q Querier, sql string, args ...any) (int64, error) {
	r, err := q.Exec(ctx, sql, args...)
	return r.RowsAffected, err
}
