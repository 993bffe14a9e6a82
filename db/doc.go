// Package db is one way to talk SQL to any of Ashlar's databases: a pool that
// speaks $1 placeholders, transactions whose scope can be seen, and rows that
// arrive as Go structs.
//
//	d, err := sqlite.Open(ctx, sqlite.Config{Path: "shop.db"})
//	...
//	p, err := db.One[Payment](ctx, d, `SELECT id, amount FROM payments WHERE id = $1`, id)
//	...
//	p, err = db.InTx(ctx, d, func(tx *db.Tx) (Payment, error) {
//		if _, err := db.Exec(ctx, tx, `UPDATE payments SET state = $1 WHERE id = $2`, "captured", id); err != nil {
//			return Payment{}, err // everything is rolled back
//		}
//		return db.One[Payment](ctx, tx, `SELECT id, amount FROM payments WHERE id = $1`, id)
//	})
//
// A repository function takes a [Querier], so its caller decides whether it
// runs in a transaction. A statement on a [*DB] is a transaction of its own.
//
// # Go and SQL values
//
// The same SQL text and the same Go types work on every adapter when tables
// use these column types (the SQLite name is also PostgreSQL's unless noted):
//
//	Go                          column
//	string, type S string       TEXT
//	int64, int, uint8 …         BIGINT (SQLite: INTEGER or BIGINT)
//	float64                     DOUBLE PRECISION
//	bool                        BOOLEAN
//	[]byte                      BYTEA (SQLite keeps it as a blob)
//	time.Time                   TIMESTAMPTZ (SQLite: UTC text of fixed width,
//	                            microseconds, so that it sorts as time does)
//	map, slice, struct          JSONB (SQLite: JSON text)
//	*T                          the column of T, and NULL for nil
//
// A type that implements [database/sql.Scanner] or
// [database/sql/driver.Valuer] converts itself. Instants are kept to the
// microsecond and always come back in UTC.
package db
