package limit

import (
	"net/http"
	"net/netip"
	"strings"

	"github.com/ashlar-go/ashlar/access"
	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/internal/scope"
)

// A WrapOption says something about [Rate.Wrap].
type WrapOption func(*wrapper)

// By chooses whose units a request takes, instead of its address's. Requests
// for which key returns the same text take of the same units.
func By(key func(*http.Request) string) WrapOption { return func(w *wrapper) { w.key = key } }

// Named gives the limit the name that clients see, instead of "default".
func Named(name string) WrapOption { return func(w *wrapper) { w.name = name } }

// In says where the limit counts, instead of in a [Memory] of its own. Limits
// of one name in one store count together.
func In(store Store) WrapOption { return func(w *wrapper) { w.store = store } }

type wrapper struct {
	key   func(*http.Request) string
	name  string
	store Store
}

// Wrap returns a handler that holds each client to the rate in front of next,
// and answers 429 with a problem document to those who come too soon. A client
// is its address; see [Address]. It panics if the rate is mistaken.
func (r Rate) Wrap(next http.Handler, options ...WrapOption) http.Handler {
	w := wrapper{key: Address, name: "default"}
	for _, o := range options {
		o(&w)
	}
	if w.store == nil {
		w.store = NewMemory(MemoryConfig{})
	}
	l, err := New(w.store, w.name, r)
	if err != nil {
		panic(err)
	}
	return http.HandlerFunc(func(out http.ResponseWriter, in *http.Request) {
		result, err := l.Take(in.Context(), w.key(in))
		switch {
		case err != nil:
			err = fault.ErrUnavailable.Wrap(err)
		default:
			l.SetFields(out.Header(), result)
			if result.OK {
				next.ServeHTTP(out, in)
				return
			}
			err = l.Refusal(result)
		}
		scope.Refuse(out, err)
	})
}

// Address is who a request comes from as far as limits care: the [Network] of
// its origin ([access.OriginOf]), which knows trusted proxies, or of the
// connection's other end. No header is believed here: a client that could
// choose its address would have no limit.
func Address(r *http.Request) string {
	if origin := access.OriginOf(r.Context()); origin.Address != "" {
		return Network(origin.Address)
	}
	host := r.RemoteAddr
	if at, err := netip.ParseAddrPort(host); err == nil {
		host = at.Addr().String()
	}
	return Network(host)
}

// Network is the part of an address that one client holds: all of an IPv4
// address, and the first 64 bits of an IPv6 address, because the rest is the
// client's to choose. What is no address is returned as it is.
func Network(address string) string {
	if strings.IndexByte(address, ':') < 0 {
		return address
	}
	ip, err := netip.ParseAddr(address)
	if err != nil {
		return address
	}
	if ip = ip.Unmap(); ip.Is4() {
		return ip.String()
	}
	prefix, _ := ip.Prefix(64) // 64 bits are never too many
	return prefix.Addr().String()
}
