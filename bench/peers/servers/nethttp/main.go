// The peer net/http: ServeMux and the middlewares that teams put around it.
package main

import (
	"context"
	"net"

	"github.com/ashlar-go/ashlar/bench/peers/shop"
	"github.com/ashlar-go/ashlar/bench/peers/stack/nethttp"
)

func main() {
	shop.Main(func(ctx context.Context, s shop.Settings, store *shop.Store, l net.Listener) (admin string, err error) {
		return nethttp.Serve(ctx, s, store, l)
	})
}
