package idem_test

import (
	"strconv"
	"testing"

	"github.com/ashlar-go/ashlar/idem"
)

// What a key costs besides the transaction of its effect: a read before and a
// statement at the end.
func BenchmarkKey(b *testing.B) {
	db := open(b, "")
	store := idem.New(nil)
	c := conn{db}
	ctx := b.Context()
	response := created("pay_1")

	b.Run("begin, new", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if claim, _, err := store.Begin(ctx, c, request("never used")); claim == nil || err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("finish", func(b *testing.B) {
		b.ReportAllocs()
		tx, err := db.Begin()
		if err != nil {
			b.Fatal(err)
		}
		defer tx.Rollback()
		n := 0
		for b.Loop() {
			b.StopTimer()
			n++
			claim, _, err := store.Begin(ctx, conn{tx}, request(strconv.Itoa(n)))
			if err != nil {
				b.Fatal(err)
			}
			b.StartTimer()
			if err := claim.Finish(ctx, conn{tx}, response); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("begin, replay", func(b *testing.B) {
		b.ReportAllocs()
		claim, _, err := store.Begin(ctx, c, request("used"))
		if err != nil {
			b.Fatal(err)
		}
		if err := claim.Finish(ctx, c, response); err != nil {
			b.Fatal(err)
		}
		for b.Loop() {
			if _, stored, err := store.Begin(ctx, c, request("used")); stored == nil || err != nil {
				b.Fatal(err)
			}
		}
	})
}
