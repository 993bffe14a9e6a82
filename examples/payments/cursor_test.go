package main

import (
	"strconv"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/examples/payments/internal/payment"
	"github.com/ashlar-go/ashlar/op"
)

// TestCursorsOfOtherLists gives each list the cursors of all.
func TestCursorsOfOtherLists(t *testing.T) {
	t.Parallel()
	s := open(t)
	p := pay(s.shop, "payments.authorize", order(captured)).OK()
	refund(s.shop, "payments.refund", payment.ByID{ID: p.ID}).OK()

	moment := strconv.FormatInt(time.Now().UnixMilli(), 10)
	cursors := map[string]op.Cursor{
		"/v1/payments":                      op.NewCursor(p.ID + " " + moment),
		"/v1/payments/" + p.ID + "/refunds": op.NewCursor("ref_01m823j0trephsyemv5h6nwvvg"),
		"/v1/ledger/entries":                op.NewCursor("ent_01m823j0trephsyemv5h6nwvvg"),
		"/v1/merchants":                     op.NewCursor(demoRival),
		"/v1/users":                         op.NewCursor("usr_01m823j0trephsyemv5h6nwvvg"),
		"no list":                           op.NewCursor(p.ID + " nonsense"),
	}
	for path := range cursors {
		if path == "no list" {
			continue
		}
		for of, cursor := range cursors {
			want := 400
			if of == path {
				want = 200
			}
			if w := s.admin.Do("GET", path+"?cursor="+string(cursor), ""); w.Code != want {
				t.Errorf("%s answers %d to a cursor of %s, want %d", path, w.Code, of, want)
			}
		}
	}
}
