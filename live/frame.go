package live

import (
	"fmt"
	"unicode"
	"unicode/utf8"

	"github.com/ashlar-go/ashlar/internal/sse"
)

// The events that end a stream.
const (
	eventEnd   = "end"
	eventError = "error"
)

// beat is what is sent while there is nothing to send.
var beat = []byte(sse.Beat)

// Bounds of what an item says of itself.
const (
	maxID   = 256
	maxType = 64
)

// checkID returns an error for an id that would not come back as it was sent.
func checkID(id string) error {
	if len(id) > maxID || !utf8.ValidString(id) || hasControl(id) {
		return fmt.Errorf("EventID returns an id that has a control character or more than %d bytes", maxID)
	}
	return nil
}

func checkType(kind string) error {
	switch {
	case kind == eventEnd, kind == eventError:
		return fmt.Errorf("EventType returns %q, which says how a stream ends", kind)
	case len(kind) > maxType || !utf8.ValidString(kind) || hasControl(kind):
		return fmt.Errorf("EventType returns a name that has a control character or more than %d bytes", maxType)
	}
	return nil
}

func hasControl(s string) bool {
	for _, r := range s {
		if unicode.IsControl(r) {
			return true
		}
	}
	return false
}
