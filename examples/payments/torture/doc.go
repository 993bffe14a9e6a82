// Package torture is the proof of the payments example: it runs the program as
// one or several processes, has typed clients pay, capture and refund, and
// meanwhile kills, stops and cuts off whatever there is to kill, stop and cut
// off. At the end it holds what the clients were told against the books.
//
//	make torture                              # minutes, every fault
//	go test ./examples/payments/torture       # seconds, a short form
//
// All of it is in tests; there is nothing here to import.
package torture
