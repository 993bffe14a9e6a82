package outbound

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
)

// inner carries requests to hosts that the process plays itself.
type inner struct {
	find func(address string) Connect
	next *http.Transport
}

// newInner returns nil where there are no such hosts. Its transport is like
// the network's but for how it connects.
func newInner(find func(address string) Connect, network *http.Transport) *inner {
	if find == nil {
		return nil
	}
	next := network.Clone()
	next.Proxy, next.ForceAttemptHTTP2 = nil, false
	next.DialContext = func(ctx context.Context, _, address string) (net.Conn, error) {
		connect := find(address)
		if connect == nil {
			return nil, fmt.Errorf("%s is played no more", address)
		}
		return connect(ctx)
	}
	next.DialTLSContext = next.DialContext
	return &inner{find, next}
}

// plays reports whether the host of a URL is one of them. A nil inner has none.
func (i *inner) plays(u *url.URL) bool {
	return i != nil && i.find(net.JoinHostPort(u.Hostname(), strconv.Itoa(int(portOf(u))))) != nil
}
