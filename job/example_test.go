package job_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/ashlar-go/ashlar/db"
	"github.com/ashlar-go/ashlar/db/sqlite"
	"github.com/ashlar-go/ashlar/job"
)

// Invoice is what the example's jobs are about.
type Invoice struct {
	ID     string `json:"id"`
	Amount int64  `json:"amount"`
}

const Send job.Queue[Invoice] = "invoice.send"

func Example() {
	ctx := context.Background()
	d, err := sqlite.Open(ctx, sqlite.Config{Path: ":memory:"})
	if err != nil {
		log.Fatal(err)
	}
	defer d.Close()
	if _, err := db.Up(ctx, d, db.Migrations{Name: "ashlar_jobs", FS: job.Migrations()}); err != nil {
		log.Fatal(err)
	}

	send := func(_ context.Context, i Invoice) error {
		fmt.Println("sending", i.ID)
		return nil
	}
	jobs, err := job.New(job.Config{DB: d, Handlers: []job.Handler{
		job.On(Send, send, job.Attempts(8), job.Timeout(30*time.Second)),
	}})
	if err != nil {
		log.Fatal(err) // names every mistaken declaration, with file and line
	}

	// The job is there if the transaction commits.
	add := func(i Invoice, fail error, options ...job.AddOption) {
		_, err := db.InTx(ctx, d, func(tx *db.Tx) (Invoice, error) {
			return i, errors.Join(Send.Add(ctx, tx, i, options...), fail)
		})
		if err != nil {
			fmt.Println(i.ID, "is not sent:", err)
		}
	}
	add(Invoice{"inv_1", 50_00}, nil)
	add(Invoice{"inv_2", 70_00}, errors.New("the customer has moved"))
	add(Invoice{"inv_3", 90_00}, nil, job.High)
	add(Invoice{"inv_4", 10_00}, nil, job.After(time.Hour))

	// A program calls jobs.Run(ctx), which works until ctx ends.
	runs, err := jobs.RunDue(ctx, 0)
	fmt.Println(runs, "runs", err)
	// Output:
	// inv_2 is not sent: the customer has moved
	// sending inv_3
	// sending inv_1
	// 2 runs <nil>
}

func ExampleComplete() {
	ctx := context.Background()
	d, err := sqlite.Open(ctx, sqlite.Config{Path: ":memory:"})
	if err != nil {
		log.Fatal(err)
	}
	defer d.Close()
	if _, err := db.Up(ctx, d, db.Migrations{Name: "ashlar_jobs", FS: job.Migrations()}); err != nil {
		log.Fatal(err)
	}
	if _, err := db.Exec(ctx, d, `CREATE TABLE paid (invoice TEXT NOT NULL)`); err != nil {
		log.Fatal(err)
	}

	pay := func(ctx context.Context, i Invoice) error {
		_, err := db.InTx(ctx, d, func(tx *db.Tx) (Invoice, error) {
			if _, err := db.Exec(ctx, tx, `INSERT INTO paid (invoice) VALUES ($1)`, i.ID); err != nil {
				return i, err
			}
			return i, job.Complete(ctx, tx) // both, or neither
		})
		if err != nil {
			return err
		}
		return errors.New("whatever happens now, the invoice is paid once")
	}
	jobs, err := job.New(job.Config{DB: d, Handlers: []job.Handler{job.On(Send, pay)}})
	if err != nil {
		log.Fatal(err)
	}
	if _, err := db.InTx(ctx, d, func(tx *db.Tx) (Invoice, error) {
		return Invoice{}, Send.Add(ctx, tx, Invoice{"inv_1", 50_00})
	}); err != nil {
		log.Fatal(err)
	}
	for range 3 {
		if _, err := jobs.RunDue(ctx, time.Hour); err != nil {
			log.Fatal(err)
		}
	}
	n, err := db.One[int](ctx, d, `SELECT count(*) FROM paid`)
	fmt.Println(n, err)
	// Output: 1 <nil>
}
