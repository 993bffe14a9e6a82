package main

import (
	"math"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/db"
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
		"no time":                           op.NewCursor(p.ID + " -9223372036854775808"),
	}
	for path := range cursors {
		if !strings.HasPrefix(path, "/") {
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

// TestCursorsKeepWithinTheBounds follows a cursor with other bounds than it was
// given out for, and one that is made up.
func TestCursorsKeepWithinTheBounds(t *testing.T) {
	t.Parallel()
	s := open(t)
	old := pay(s.shop, "payments.authorize", order()).OK()
	pay(s.shop, "payments.authorize", order()).OK()
	before := old.CreatedAt.Add(-time.Hour + time.Second)
	if _, err := db.Exec(t.Context(), s.DB, `UPDATE payments SET created_at = $1 WHERE id = $2`, before.Add(-time.Second), old.ID); err != nil {
		t.Fatal(err)
	}
	for name, millis := range map[string]int64{"another list's": old.CreatedAt.Add(time.Hour).UnixMilli(), "made up": math.MaxInt64} {
		cursor := op.NewCursor("pay_zzzzzzzzzzzzzzzzzzzzzzzzzz " + strconv.FormatInt(millis, 10))
		got := payments(s.shop, "payments.list", payment.List{CreatedBefore: before, Paging: op.Paging{Cursor: cursor}}).OK()
		if len(got.Data) != 1 || got.Data[0].ID != old.ID {
			t.Errorf("%s: the page has %d payments, want the one before %s", name, len(got.Data), before)
		}
		payments(s.shop, "payments.list", payment.List{Paging: op.Paging{Cursor: cursor}}).OK()
	}
}
