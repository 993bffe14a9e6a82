package db

import (
	"reflect"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/ashlar-go/ashlar/db/internal/row"
)

// plans remembers how the columns of a statement map to a Go type. Reads take
// no lock and allocate nothing; a new statement copies the map, which is rare
// because statements are written, not generated.
type plans struct {
	known atomic.Pointer[map[planKey]*row.Plan]
	grow  sync.Mutex
}

type planKey struct {
	typ reflect.Type
	sql string
}

// maxPlans bounds the memory of a program that does generate its statements.
const maxPlans = 1024

func (p *plans) find(typ reflect.Type, sql string, columns []string) (*row.Plan, error) {
	key := planKey{typ, sql}
	if known := p.known.Load(); known != nil {
		// A migration may have changed what SELECT * means, so compare.
		if plan := (*known)[key]; plan != nil && slices.Equal(plan.Columns(), columns) {
			return plan, nil
		}
	}
	plan, err := row.Compile(typ, columns)
	if err != nil {
		return nil, err
	}
	p.grow.Lock()
	defer p.grow.Unlock()
	next := map[planKey]*row.Plan{key: plan}
	if known := p.known.Load(); known != nil && len(*known) < maxPlans {
		for k, v := range *known {
			if k != key {
				next[k] = v
			}
		}
	}
	p.known.Store(&next)
	return plan, nil
}

func scanner[T any](q Querier, sql string, rows Rows) (*row.Plan, error) {
	typ := reflect.TypeFor[T]()
	switch q := q.(type) {
	case *DB:
		return q.plans.find(typ, sql, rows.Columns())
	case *Tx:
		return q.db.plans.find(typ, sql, rows.Columns())
	default:
		return row.Compile(typ, rows.Columns())
	}
}
