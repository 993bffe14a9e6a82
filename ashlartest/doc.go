// Package ashlartest runs an app inside a test: the real pipeline and real
// SQL, without a socket.
//
//	var call = ashlartest.Call[payments.Payment]
//
//	func TestSecondCaptureIsRefused(t *testing.T) {
//		t.Parallel()
//		app := ashlartest.Open(t)
//		app.Mount(payments.New(app.DB).Module())
//		shop := app.As("shop-1", payments.Read, payments.Write)
//
//		p := call(shop, "payments.authorize", order()).OK()
//		call(shop, "payments.capture", payments.ByID{ID: p.ID}).OK()
//		call(shop, "payments.capture", payments.ByID{ID: p.ID}).Fails(payments.ErrState)
//	}
//
// Each [Open] has a database of its own, so tests run in parallel. Every
// answer is held against the contract: a fault that the operation does not
// declare, or an answer that its own document does not describe, fails the
// test without being asked about. An assertion that fails prints the request, the
// answer, what was logged and traced meanwhile, and where the operation is
// declared.
//
// Inputs need not be written: a [Factory] makes them from their rules, and tries
// an operation at the edge of each. Time need not pass: see [Open].
package ashlartest
