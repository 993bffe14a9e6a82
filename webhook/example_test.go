package webhook_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"time"

	"github.com/ashlar-go/ashlar/db"
	"github.com/ashlar-go/ashlar/db/sqlite"
	"github.com/ashlar-go/ashlar/outbound"
	"github.com/ashlar-go/ashlar/webhook"
)

func Example() {
	ctx, stop := context.WithCancel(context.Background())
	d, err := sqlite.Open(ctx, sqlite.Config{Path: ":memory:"})
	if err != nil {
		log.Fatal(err)
	}
	defer d.Close()
	if _, err := db.Up(ctx, d, db.Migrations{Name: "ashlar_webhook", FS: webhook.Migrations()}); err != nil {
		log.Fatal(err)
	}

	// The other side: a server of the shop, which knows the endpoint's secret.
	var secret webhook.Secret
	received := make(chan string, 1)
	shop := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
		if err == nil {
			err = webhook.Verify(r.Header, body, secret)
		}
		if err != nil {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		received <- r.Header.Get(webhook.HeaderID) + " " + string(body)
		w.WriteHeader(http.StatusNoContent)
	}))
	defer shop.Close()

	hooks, err := webhook.New(webhook.Config{
		DB: d, Keys: [][]byte{make([]byte, 32)}, // of the program's own secrets
		Client: outbound.New(outbound.Config{
			Timeout: 15 * time.Second,
			Allow:   []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, // the example's shop is on this machine
		}),
		AllowHTTP: true, // and has no certificate
	})
	if err != nil {
		log.Fatal(err)
	}
	running := make(chan error, 1)
	go func() { running <- hooks.Run(ctx) }()

	endpoint, shared, err := hooks.Create(ctx, "shop-1", webhook.NewEndpoint{URL: shop.URL, Types: []string{"payment.*"}})
	if err != nil {
		log.Fatal(err) // says what is wrong with the URL or the types
	}
	secret = shared

	// The message is sent if the transaction commits.
	if _, err := db.InTx(ctx, d, func(tx *db.Tx) (struct{}, error) {
		return struct{}{}, hooks.Enqueue(ctx, tx, webhook.Message{
			ID: "evt_1", Type: "payment.captured", Key: "pay_1", Account: "shop-1", Payload: []byte(`{"id":"pay_1"}`),
		})
	}); err != nil {
		log.Fatal(err)
	}
	fmt.Println(<-received)

	stop()
	fmt.Println(<-running) // when the attempt is recorded
	list, err := hooks.Deliveries(context.Background(), "shop-1", endpoint.ID, "", 10)
	fmt.Println(len(list), list[0].State, err)
	// Output:
	// evt_1 {"id":"pay_1"}
	// <nil>
	// 1 delivered <nil>
}
