// Package idem makes a retry safe: a request that is sent twice under one
// Idempotency-Key has one effect and one answer. The key, and the answer, are
// written in the transaction that makes the effect, so that all of them are
// there after a crash or none is.
//
// [Store.Begin] looks the key up before the handler runs. It returns the
// stored response of an earlier run, or refuses, or gives a [Claim]. The
// handler's transaction ends with [Claim.Finish], which writes key and response;
// after the handler, [Claim.Settle] turns a lost race into its answer.
//
//	claim, stored, err := store.Begin(ctx, conn, request)
//	if stored != nil || err != nil {
//		return stored, err
//	}
//	response, err := inTx(func(tx idem.Conn) (*idem.Response, error) {
//		response := transfer(ctx, tx, input)
//		return response, claim.Finish(ctx, tx, *response) // an error rolls back
//	})
//	if stored, err := claim.Settle(ctx, conn, err); stored != nil || err != nil {
//		return stored, err
//	}
//	return response, nil
//
// An operation that calls the outside between two transactions commits in
// phases: [Claim.Phase] ends each transaction but the last and leaves a
// reference with which a retry goes on where the crashed run stopped. The claim
// holds a lease meanwhile, and twins are refused until it ends.
//
// # Why there are never two effects
//
// Twins may both be past Begin: neither has seen the other's key. Both write
// the same primary key at the end of their transactions. The database lets one
// commit; the other's statement changes no row, and its transaction rolls back
// with everything it did. Rows are changed by their owner only, a random token
// of each claim, so a claim whose lease ended and was taken over by a retry
// can't commit either. Taking over is one conditional update, committed before
// the handler runs again.
//
// What is not in such a transaction is outside this promise: a network call
// goes between two phases and is repeated by a resumed run, so it carries an
// idempotency key of its own (the phase's reference serves). A transaction
// that ends with neither Phase nor Finish is not protected at all.
//
// Instances compare leases with their own clocks. These should differ by much
// less than a lease. A lease that ends later than two from now is of a clock that
// was ahead, and over. If its run lives all the same it can't commit any more, as
// above; nor can one whose clock is so far behind that its lease is over to
// others. A clock that is ahead also finds keys expired by as much too early.
//
// The package needs a table, see [Migrations], and speaks to SQLite (3.24 or
// later) and PostgreSQL through the two methods of [Conn]. A Store is safe for
// concurrent use; a Claim belongs to one request.
package idem
