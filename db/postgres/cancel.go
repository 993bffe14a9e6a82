package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgconn/ctxwatch"
)

// reaction is how long a server has, after the end of a ctx, to stop the
// statement. Then the connection is cut: the server is dead, or beyond reach.
const reaction = 250 * time.Millisecond

// canceler asks the server to stop a statement whose ctx has ended, so that it
// does not work on for nobody, and keeps the connection if the server does.
// All calls come one after another.
type canceler struct {
	pg      *pgconn.PgConn
	asked   chan struct{} // closed when the server has taken the request, or could not
	heard   bool          // it has
	spoiled bool          // a request may be under way still, and would stop whatever comes next
}

var _ ctxwatch.Handler = (*canceler)(nil)

// HandleCancel is called when the ctx of the running statement ends.
func (c *canceler) HandleCancel(context.Context) {
	deadline := time.Now().Add(reaction)
	_ = c.pg.Conn().SetDeadline(deadline) // on a closed one the statement has failed
	asked := make(chan struct{})
	c.asked, c.heard = asked, false
	go func() { //nolint:gosec // its ctx has ended, which is why
		defer close(asked)
		ctx, cancel := context.WithDeadline(context.Background(), deadline)
		defer cancel()
		// The server closes the connection of a request when it has passed
		// the signal on, so that it can hit no later statement.
		c.heard = c.pg.CancelRequest(ctx) == nil && ctx.Err() == nil
	}()
}

// HandleUnwatchAfterCancel is called when the statement is over.
func (c *canceler) HandleUnwatchAfterCancel() {
	<-c.asked
	c.spoiled = c.spoiled || !c.heard
}
