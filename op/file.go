package op

import "io"

// A File is an answer of bytes instead of JSON.
type File struct {
	// Name is the name under which a browser saves it; empty means that it
	// is shown, not saved.
	Name string
	// Type is the media type, such as "text/csv; charset=utf-8". Empty, and
	// one with a control character, means application/octet-stream.
	Type string
	// Size is the number of bytes, or negative if it is not known before the
	// end.
	Size int64
	// Body is read to its end and closed if it is an [io.Closer].
	Body io.Reader
}
