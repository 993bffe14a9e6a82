package op

import (
	"context"
	"strings"

	"github.com/ashlar-go/ashlar/fault"
)

// Tagged is implemented by answers that know their version. The tag is the
// opaque part of a strong ETag (RFC 9110, section 8.8.3): it changes whenever
// the answer does, and holds neither quotes, spaces nor control characters.
type Tagged interface{ ETag() string }

type matchKey struct{}

// WithMatch returns a context that carries a request's If-Match header for
// [Match].
func WithMatch(ctx context.Context, header string) context.Context {
	return context.WithValue(ctx, matchKey{}, header)
}

// Match returns [fault.ErrStale] if the request has an If-Match header that
// does not name current. Call it inside the transaction, after the row is
// locked; a request without the header matches everything.
func Match(ctx context.Context, current Tagged) error {
	header, ok := ctx.Value(matchKey{}).(string)
	if !ok || MatchesTag(header, current.ETag(), false) {
		return nil
	}
	return fault.ErrStale.Because("It was changed since you read it. Read it again and repeat the change if it still applies.")
}

// MatchesTag reports whether an If-Match or If-None-Match header names the
// tag (RFC 9110, section 13.1). If-None-Match compares weakly.
func MatchesTag(header, tag string, weakly bool) bool {
	if strings.TrimSpace(header) == "*" {
		return true
	}
	for rest := header; rest != ""; {
		rest = strings.TrimLeft(rest, " \t,")
		weak := strings.HasPrefix(rest, "W/")
		if weak {
			rest = rest[2:]
		}
		if !strings.HasPrefix(rest, `"`) {
			return false
		}
		end := strings.IndexByte(rest[1:], '"')
		if end < 0 {
			return false
		}
		if rest[1:1+end] == tag && (weakly || !weak) {
			return true
		}
		rest = rest[end+2:]
	}
	return false
}
