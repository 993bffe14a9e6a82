package serve

import "net/http"

type header struct {
	name  string
	value []string // length and capacity 1: shared by all responses, Add copies it
}

// securityHeaders are the headers of every response, built once. net/http's
// header map grows at its ninth key, which costs more than all of these: with
// Content-Type, Content-Length and X-Request-Id an answer has eight at most.
// An ETag, a Location or a challenge is the ninth where HSTS is on.
func securityHeaders(hsts bool) []header {
	list := []header{
		shared("X-Content-Type-Options", "nosniff"),
		shared("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"),
		shared("Referrer-Policy", "no-referrer"),
		shared("Cache-Control", "no-store"),
	}
	if hsts {
		list = append(list, shared("Strict-Transport-Security", "max-age=63072000; includeSubDomains"))
	}
	return list
}

func shared(name, value string) header { return header{name, []string{value}[:1:1]} }

// append appends the header as it stands on the wire.
func (h *header) append(b []byte) []byte {
	b = append(append(b, h.name...), ": "...)
	return append(append(b, h.value[0]...), "\r\n"...)
}

const requestIDHeader = "X-Request-Id"

// dress puts the headers that every response has among those that the handler
// has set, for whoever wants to see or change them.
func (x *response) dress() {
	if x.dressed {
		return
	}
	x.dressed = true
	h := x.Fields()
	for i := range x.obs.headers {
		if each := &x.obs.headers[i]; h[each.name] == nil {
			h[each.name] = each.value
		}
	}
	if h[requestIDHeader] == nil {
		h[requestIDHeader] = x.scope.RequestIDs()
	}
}

// undress drops what a handler had set before it failed: a length or an ETag
// of the answer that is not coming.
func (x *response) undress(r *http.Request) {
	h := x.Fields()
	clear(h)
	x.dressed = false
	if x.obs.cors != nil {
		x.obs.cors.dress(x, r)
	}
}

// closing is the shared value of Connection in a response that ends its
// connection.
func closing(h http.Header) { h["Connection"] = []string{"close"} }
