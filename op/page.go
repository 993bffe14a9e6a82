package op

import (
	"encoding/base64"
	"encoding/binary"
	"hash/crc32"
	"reflect"
	"strconv"
	"strings"

	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/rule"
)

// ErrCursor refuses a cursor that this service did not give out.
const ErrCursor fault.Malformed = "cursor_invalid"

// Paging is what the input of a list holds: embed it.
type Paging struct {
	// Limit is the greatest number of items wanted, 1 to 100; 20 if absent.
	Limit int `json:"limit,omitzero"`
	// Cursor continues where a page ended: its next_cursor, as it is.
	Cursor Cursor `json:"cursor,omitzero"`
}

// Rules bounds a page.
func (p *Paging) Rules(r *rule.Set) { rule.Number(r, &p.Limit).Between(1, maxPage) }

const (
	standardPage = 20
	maxPage      = 100
)

// Size returns the number of items wanted. Read one row more, for [PageOf].
func (p Paging) Size() int {
	if p.Limit == 0 {
		return standardPage
	}
	return p.Limit
}

// A Page is one page of a list that is read by key, not by offset: page 1 000
// costs what page 1 costs, and rows that arrive meanwhile are neither skipped
// nor repeated.
type Page[T any] struct {
	Data []T `json:"data"`
	// NextCursor continues the list; null on the last page.
	NextCursor *Cursor `json:"next_cursor"`
	// HasMore says whether there is a next page.
	HasMore bool `json:"has_more"`

	key func(T) string // of PageOf; nil if it has not made the page
}

// Cursors returns a cursor behind each item, which continues the list after it,
// as those of GraphQL's edges do. It returns nil for a page that [PageOf] has not
// made, one that was decoded for example: that does not know its keys.
func (p Page[T]) Cursors() []Cursor {
	if p.key == nil {
		return nil
	}
	all := make([]Cursor, len(p.Data))
	for i, item := range p.Data {
		all[i] = NewCursor(p.key(item))
	}
	return all
}

// Equal reports whether two pages say the same. It is what github.com/google/go-cmp
// compares them with; [reflect.DeepEqual] tells a page of [PageOf] from one that
// was put together by hand.
func (p Page[T]) Equal(q Page[T]) bool {
	p.key, q.key = nil, nil
	return reflect.DeepEqual(p, q)
}

// PageOf makes a page of at most limit rows. Read limit+1 rows: the extra one
// tells that there are more. key returns what the next page starts after. It
// panics if limit is not positive, as that of a request without one is: give
// it a default first.
func PageOf[T any](rows []T, limit int, key func(T) string) Page[T] {
	if limit <= 0 {
		panic("op: PageOf with limit " + strconv.Itoa(limit))
	}
	if len(rows) <= limit {
		return Page[T]{Data: rows, key: key}
	}
	next := NewCursor(key(rows[limit-1]))
	return Page[T]{Data: rows[:limit], NextCursor: &next, HasMore: true, key: key}
}

// ItemOf is the type of the items of a [Page], or nil if t is none.
func ItemOf(t *rule.Type) *rule.Type {
	page := reflect.TypeFor[Page[int]]()
	if t == nil || t.Kind != rule.Object || t.Go.PkgPath() != page.PkgPath() || !strings.HasPrefix(t.Go.Name(), "Page[") {
		return nil
	}
	return t.Object.Field("data").Type.Elem
}

// A Cursor is a position in a list, opaque to callers. It carries a checksum,
// so that an edited one is refused instead of misread; it is no secret and
// gives no permission, so queries must be scoped with or without it.
type Cursor string

// Rules bounds a cursor.
func (c *Cursor) Rules(r *rule.Set) { rule.Text(r, c).Len(1, 512) }

// NewCursor returns a cursor to the position named by key, of at most 380
// bytes: the rules of a cursor admit no longer one.
func NewCursor(key string) Cursor {
	b := binary.BigEndian.AppendUint32(nil, crc32.ChecksumIEEE([]byte(key)))
	return Cursor(base64.RawURLEncoding.EncodeToString(append(b, key...)))
}

// Key returns the position's key: "" for the empty cursor, which stands for
// the first page, and [ErrCursor] for one that was not made by NewCursor.
func (c Cursor) Key() (string, error) {
	if c == "" {
		return "", nil
	}
	b, err := base64.RawURLEncoding.DecodeString(string(c))
	// The encoding has several spellings of some bytes; only one was given out.
	if err == nil && len(b) >= 4 && NewCursor(string(b[4:])) == c {
		return string(b[4:]), nil
	}
	return "", ErrCursor.Because("The cursor was not given out by this list; use next_cursor of a page as it is.")
}
