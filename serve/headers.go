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

// dress sets the headers that every response has, before the handler runs, so
// that it may replace them.
func (o *observer) dress(x *response, r *http.Request) {
	h := x.Header()
	for i := range o.headers {
		h[o.headers[i].name] = o.headers[i].value
	}
	x.id[0] = x.scope.RequestID
	h["X-Request-Id"] = x.id[:1:1]
	if o.cors != nil {
		o.cors.dress(h, r)
	}
}

// undress drops what a handler had set before it failed: a length or an ETag
// of the answer that is not coming.
func (o *observer) undress(x *response, r *http.Request) {
	clear(x.Header())
	o.dress(x, r)
}

// closing is the shared value of Connection in a response that ends its
// connection.
func closing(h http.Header) { h["Connection"] = []string{"close"} }
