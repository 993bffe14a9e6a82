package op_test

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ashlar-go/ashlar/op"
	"github.com/ashlar-go/ashlar/rule"
)

func TestPageOf(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		rows, limit int
		want        string
	}{
		{0, 2, "[] false"},
		{1, 2, "[0] false"},
		{2, 2, "[0 1] false"},
		{3, 2, "[0 1] true after 1"},
		{9, 2, "[0 1] true after 1"},
		{2, 1, "[0] true after 0"},
	} {
		rows := make([]int, c.rows)
		for i := range rows {
			rows[i] = i
		}
		page := op.PageOf(rows, c.limit, strconv.Itoa)
		got := fmt.Sprintf("%v %v", page.Data, page.HasMore)
		if page.NextCursor != nil {
			key, err := page.NextCursor.Key()
			got += fmt.Sprintf(" after %s", key)
			if err != nil {
				t.Error(err)
			}
		}
		if got != c.want {
			t.Errorf("%d rows for %d: got %s, want %s", c.rows, c.limit, got, c.want)
		}
	}
}

func TestAPageKnowsItsCursors(t *testing.T) {
	t.Parallel()
	page := op.PageOf([]int{1, 2, 3}, 2, strconv.Itoa)
	if got, want := page.Cursors(), []op.Cursor{op.NewCursor("1"), op.NewCursor("2")}; !slices.Equal(got, want) || *page.NextCursor != want[1] {
		t.Errorf("%v, want %v", got, want)
	}
	byHand := op.Page[int]{Data: page.Data, NextCursor: page.NextCursor, HasMore: true}
	if byHand.Cursors() != nil || cmp.Diff(page, byHand) != "" || page.Equal(op.Page[int]{Data: page.Data}) {
		t.Errorf("%v, %+v and %+v", byHand.Cursors(), page, byHand)
	}
}

func TestAPageNeedsALimit(t *testing.T) {
	t.Parallel()
	for _, limit := range []int{0, -1} {
		func() {
			defer func() {
				if got := fmt.Sprint(recover()); !strings.Contains(got, "PageOf with limit "+strconv.Itoa(limit)) {
					t.Errorf("limit %d: %s", limit, got)
				}
			}()
			op.PageOf(nil, limit, strconv.Itoa)
		}()
	}
}

func TestCursor(t *testing.T) {
	t.Parallel()
	for _, key := range []string{"pay_01JD8Z", "2026-11-22T10:00:00Z|pay_1", "é 日本", "\x00\xff", strings.Repeat("k", 380)} {
		c := op.NewCursor(key)
		if got, err := c.Key(); got != key || err != nil {
			t.Errorf("the cursor of %q has the key %q, %v", key, got, err)
		}
		if strings.Trim(string(c), "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			t.Errorf("%q needs an escape in a query", c)
		}
	}
	if key, err := op.Cursor("").Key(); key != "" || err != nil {
		t.Errorf("the first page begins after %q, %v", key, err)
	}
}

// TestAnEditedCursorIsRefused changes each character of a cursor to each
// other, drops it, and puts one before it.
func TestAnEditedCursorIsRefused(t *testing.T) {
	t.Parallel()
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_=+/\n %\xff"
	given := string(op.NewCursor("pay_01JD8Z3K5QW8"))
	refused := func(edited string) {
		if key, err := op.Cursor(edited).Key(); !errors.Is(err, op.ErrCursor) || key != "" {
			t.Errorf("%q for %q gives %q, %v", edited, given, key, err)
		}
	}
	for i := range len(given) {
		refused(given[:i] + given[i+1:])
		for j := range len(alphabet) {
			letter := alphabet[j : j+1]
			refused(given[:i] + letter + given[i:])
			if letter != given[i:i+1] {
				refused(given[:i] + letter + given[i+1:])
			}
		}
	}
	refused(given + given)
	refused(" ")
}

func TestTheRulesOfACursorAdmitWhatIsGivenOut(t *testing.T) {
	t.Parallel()
	described, err := rule.Describe(reflect.TypeFor[op.Cursor]())
	if err != nil {
		t.Fatal(err)
	}
	for length, admitted := range map[int]bool{1: true, 380: true, 381: false} {
		c := string(op.NewCursor(strings.Repeat("k", length)))
		if got := described.CheckText(c) == nil; got != admitted {
			t.Errorf("a cursor to a key of %d bytes is admitted: %v", length, got)
		}
	}
}

func FuzzCursor(f *testing.F) {
	f.Add("")
	f.Add("AAAAAA")
	f.Add(string(op.NewCursor("pay_1")))
	f.Add("AAAA\nAA")
	f.Fuzz(func(t *testing.T, s string) {
		key, err := op.Cursor(s).Key()
		if err == nil && s != "" && string(op.NewCursor(key)) != s {
			t.Errorf("%q was taken for the cursor of %q", s, key)
		}
		if err != nil && (!errors.Is(err, op.ErrCursor) || key != "") {
			t.Errorf("%q is refused with %q, %v", s, key, err)
		}
		if back, err := op.NewCursor(s).Key(); back != s || err != nil {
			t.Errorf("the cursor of %q has the key %q, %v", s, back, err)
		}
	})
}
