package sqlite_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/ashlar-go/ashlar/db"
	"github.com/ashlar-go/ashlar/db/sqlite"
)

func Example() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "shop")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)

	d, err := sqlite.Open(ctx, sqlite.Config{Path: filepath.Join(dir, "shop.db")})
	if err != nil {
		log.Fatal(err)
	}
	defer d.Close()

	if _, err := db.Exec(ctx, d, `CREATE TABLE items (id BIGINT PRIMARY KEY, name TEXT NOT NULL)`); err != nil {
		log.Fatal(err)
	}
	id, err := db.One[int64](ctx, d, `INSERT INTO items (id, name) VALUES ($1, $2) RETURNING id`, 1, "chisel")
	fmt.Println(id, err)
	// Output: 1 <nil>
}
