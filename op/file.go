package op

import (
	"io"
	"mime"
	"slices"
	"strings"
)

// A File is an answer of bytes instead of JSON.
type File struct {
	// Name is the name under which a browser saves it; empty means that it
	// is shown, not saved.
	Name string
	// Type is the media type, such as "text/csv; charset=utf-8". Empty, and
	// one with a control character, means application/octet-stream. It must be
	// among what [Media] says, where that is said.
	Type string
	// Size is the number of bytes, or negative if it is not known before the
	// end.
	Size int64
	// Body is read to its end and closed if it is an [io.Closer].
	Body io.Reader
}

// Media says of which media types the [File] of an operation is: "text/csv",
// without parameters. They stand in the contract, and an answer of another type
// is a failure of the service, as one of a wrong shape is. Without it, a file may
// be anything.
func Media(types ...string) Option {
	return anyOption(func(s *Spec) {
		if len(types) == 0 {
			s.mistake("Media names no type")
		}
		for _, t := range types {
			plain, parameters, err := mime.ParseMediaType(t)
			if err != nil || plain != t || len(parameters) > 0 || !strings.Contains(t, "/") || strings.Contains(t, "*") {
				s.mistake("Media %q is not of the form %q", t, "text/csv")
				continue
			}
			if !slices.Contains(s.Media, t) {
				s.Media = append(s.Media, t)
			}
		}
	})
}
