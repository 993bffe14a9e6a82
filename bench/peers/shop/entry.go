package shop

import (
	"context"
	_ "embed"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// GraphQL is the schema of the peers that serve it.
//
//go:embed schema.graphql
var GraphQL string

// The limits of a document.
const (
	// MaxDepth is how far fields may be nested.
	MaxDepth = 20
	// MaxTokens are its words and signs.
	MaxTokens = 5000
	// Documents are how many a peer that keeps parsed ones keeps.
	Documents = 1000
)

// Entry is a payment as lists show it.
type Entry struct {
	ID        string `json:"id"`
	Amount    int64  `json:"amount"`
	Currency  string `json:"currency"`
	Status    string `json:"status"`
	Reference string `json:"reference"`
}

// EntryOf is a payment's entry.
func EntryOf(p *Payment) Entry {
	return Entry{p.ID, p.Amount, p.Currency, p.Status, p.Reference}
}

// EntryPage is one page of entries.
type EntryPage struct {
	Data       []Entry `json:"data"`
	NextCursor string  `json:"next_cursor"`
	HasMore    bool    `json:"has_more"`
}

// Category is what is sold, and what it is made of.
type Category struct {
	Name   string     `json:"name"`
	Within []Category `json:"within"`
}

// Categories are all that the shop has.
func Categories() Category {
	return Category{"stone", []Category{{"granite", []Category{}}, {"limestone", []Category{}}}}
}

// entries are those of the seeded payments, in memory.
var entries = func() (all []Entry) {
	for i := range Seeds {
		p := Seeded(i)
		all = append(all, EntryOf(&p))
	}
	return all
}()

// Recent are the entries that come after an id, at most so many. They are in
// memory: what it takes to serve them is what serving takes.
func Recent(after string, limit int) []Entry {
	from, found := slices.BinarySearchFunc(entries, after, func(e Entry, id string) int { return strings.Compare(e.ID, id) })
	if found {
		from++
	}
	return entries[from:min(from+limit, len(entries))]
}

// ErrLimit refuses a page of a size that there is not.
var ErrLimit = errors.New("a page has 1 to 100 entries")

// RecentPage is the first page of entries from memory.
func RecentPage(after string, limit int) (EntryPage, error) {
	if limit < 1 || limit > 100 {
		return EntryPage{}, ErrLimit
	}
	page := EntryPage{Data: Recent(after, limit+1)}
	if len(page.Data) > limit {
		page.Data, page.HasMore, page.NextCursor = page.Data[:limit], true, page.Data[limit-1].ID
	}
	return page, nil
}

// EntryPage is the first page of entries from the database.
func (s *Store) EntryPage(ctx context.Context, limit int) (EntryPage, error) {
	if limit < 1 || limit > 100 {
		return EntryPage{}, ErrLimit
	}
	page, err := s.List(ctx, "mer_1", "", limit)
	if err != nil {
		return EntryPage{}, err
	}
	list := EntryPage{Data: make([]Entry, len(page.Data)), NextCursor: page.NextCursor, HasMore: page.HasMore}
	for i := range page.Data {
		list.Data[i] = EntryOf(&page.Data[i])
	}
	return list, nil
}

// Recent200 answers a page of entries from memory.
func Recent200(w http.ResponseWriter, r *http.Request) {
	limit, err := strconv.Atoi(r.URL.Query().Get("limit"))
	if err != nil {
		Refuse(w, http.StatusUnprocessableEntity)
		return
	}
	page, err := RecentPage(r.URL.Query().Get("cursor"), limit)
	if err != nil {
		Refuse(w, http.StatusUnprocessableEntity)
		return
	}
	Reply(w, http.StatusOK, page)
}
