package ashlar

import (
	"context"
	"io/fs"

	"github.com/ashlar-go/ashlar/event"
	"github.com/ashlar-go/ashlar/job"
	"github.com/ashlar-go/ashlar/op"
)

// A Module is what one package brings to an app. Every part may be missing.
type Module struct {
	// Name is the module's name, unique in the app. Its migrations are
	// counted under it, so it must not change.
	Name string
	// Operations are what the module offers.
	Operations []op.Operation
	// Relations lead from what operations answer to more of it: fields of
	// GraphQL, see [op.Relation].
	Relations []op.Relation
	// Consumers handle events, of this module and of others.
	Consumers []event.Consumer
	// Migrations holds the module's SQL migrations, files named like
	// 00001_payments.sql, at the top or in a folder "migrations".
	Migrations fs.FS
	// Docs explains operations and types; "ashlar gen" writes it from the
	// doc comments.
	Docs op.Docs
	// Jobs are who runs the jobs of which queue, made with [job.On].
	Jobs []job.Handler
	// Tasks run beside the server.
	Tasks []Task
	// Demo fills the database with something to look at. It is called in
	// development only, at each start, after migrations and before the first
	// request; it must do nothing if it did its work before. The note is
	// printed for whoever started the app.
	Demo func(ctx context.Context) (note string, err error)
}

// A Task is background work. Run is called when the app serves and should
// return when ctx ends. If it returns earlier, fails or panics, it is called
// again after a pause that grows to a minute.
type Task struct {
	Name string
	Run  func(ctx context.Context) error
}
