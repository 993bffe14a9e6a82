package input

import (
	"io"
	"net/http"
	"strings"

	"github.com/ashlar-go/ashlar/fault"
)

// RefuseBody refuses content that a GET should not have: it would be ignored,
// and whoever sent it means something by it.
func RefuseBody(r *http.Request) error {
	if r.ContentLength < 0 {
		var first [1]byte
		if n, err := io.ReadFull(r.Body, first[:]); n == 0 && err == io.EOF {
			return nil
		}
	}
	return fault.ErrMalformed.Because("This operation takes no body; its input is the path and the query.")
}

// Accepts reports whether an Accept header admits a media type (RFC 9110,
// section 12.5.1). A type with weight zero is refused, everything else that
// names the type or a range around it admits it.
func Accepts(header []string, media string) bool {
	if len(header) == 0 || len(header) == 1 && (header[0] == media || header[0] == "*/*" || startsWith(header[0], media)) {
		return true
	}
	family, _, _ := strings.Cut(media, "/")
	best, admitted := -1, false
	for _, line := range header {
		for part := range strings.SplitSeq(line, ",") {
			name, params, _ := strings.Cut(part, ";")
			precision := -1
			switch strings.ToLower(strings.TrimSpace(name)) {
			case media:
				precision = 2
			case family + "/*":
				precision = 1
			case "*/*", "":
				precision = 0
			}
			if precision > best {
				best, admitted = precision, !zeroWeight(params)
			}
		}
	}
	return admitted
}

// startsWith reports whether the first range of a list is a media type and
// nothing else. No other range weighs more, whatever it says.
func startsWith(line, media string) bool {
	return len(line) > len(media) && line[len(media)] == ',' && line[:len(media)] == media
}

func zeroWeight(params string) bool {
	for p := range strings.SplitSeq(params, ";") {
		name, value, _ := strings.Cut(strings.TrimSpace(p), "=")
		if strings.EqualFold(name, "q") {
			return strings.Trim(value, "0.") == ""
		}
	}
	return false
}
