// Package page says where a page of a list begins.
package page

import (
	"strings"

	"github.com/ashlar-go/ashlar/op"
)

// After returns the key that a page of a list starts after, "" for the first
// page. The keys of the list begin with the prefix of its ids: a cursor whose
// key does not was given out by another list and is an [op.ErrCursor].
func After(c op.Cursor, prefix string) (string, error) {
	key, err := c.Key()
	if err == nil && key != "" && !strings.HasPrefix(key, prefix) {
		return "", op.ErrCursor.Because("The cursor belongs to another list.")
	}
	return key, err
}
