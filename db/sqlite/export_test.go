package sqlite

import (
	"context"

	"github.com/ashlar-go/ashlar/db"
)

// OpenFragile is Open in memory, with a switch that breaks the disk.
func OpenFragile(ctx context.Context) (d *db.DB, breakDisk func(bool), err error) {
	a, err := openAdapter(ctx, Config{Path: ":memory:"})
	if err != nil {
		return nil, nil, err
	}
	return db.New(a), a.memory.Break, nil
}

// ParseTime, AppendTime, FirstWord and Unlocked are tested by themselves.
var (
	ParseTime  = parseTime
	AppendTime = appendTime
	FirstWord  = firstWord
	Unlocked   = unlocked
)

// MaxStatements is the size of a connection's cache.
const MaxStatements = maxStatements
