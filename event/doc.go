// Package event tells what happened to whoever wants to know, exactly when it
// happened: an event is a row that commits with the change it tells of.
//
//	const Captured event.Topic[Payment] = "payment.captured"
//
//	_, err := db.InTx(ctx, d, func(tx *db.Tx) (Payment, error) {
//		...                                        // change the payment
//		return p, Captured.Publish(ctx, tx, p)     // both are there, or neither
//	})
//
// A [Log] reads them. All of an application's events are in one order, with
// positions that have no gap, and every reader sees them in it, on SQLite and
// on PostgreSQL:
//
//	log, err := event.Open(event.Config{DB: d})
//	go log.Run(ctx)                                // what has to run beside it
//
//	page, err := log.Read(ctx, event.Query{AfterID: last})          // a list
//	for p, err := range event.Listen(ctx, log, Captured, nil) { … } // a stream
//	err = log.Consume(ctx, event.On(Captured, "ledger-export", s.export))
//
// # What is promised
//
//   - An event is there if its transaction committed, and never otherwise. Its
//     ID is the same in every delivery.
//   - Events of one key (see [Keyed]) have the order of their commits.
//   - A reader that goes on after an event gets everything that follows it, once,
//     or [ErrReset] if that is not kept any more. No event appears later at a
//     position that a reader has passed.
//   - A consumer's handler writes in a transaction that also notes how far it
//     has come, so its effects in the database happen once for each event,
//     whatever crashes. Effects elsewhere happen at least once. One process at a
//     time works on a consumer; another takes over within [Config.Lease] and a
//     second when it dies.
//   - What a consumer cannot handle is tried again and then kept as a dead
//     letter, with those of its key that follow: see [Failure].
//
// # What it costs
//
// To publish is one insert. Nothing runs while nobody listens and nothing is
// published, but for a query every few seconds on PostgreSQL. However many
// subscribe, a process reads each event once.
//
// It needs the tables of [Migrations].
package event
