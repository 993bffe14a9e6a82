package logs_test

import (
	"context"
	"log/slog"
	"os"
	"time"

	"github.com/ashlar-go/ashlar/logs"
)

// timeless keeps the clock out of the expected output.
func timeless(h slog.Handler) *slog.Logger { return slog.New(untimed{h}) }

func Example() {
	log := timeless(logs.NewHandler(os.Stdout, logs.Options{}))
	log.Info("payment captured",
		"payment", "pay_01m823j0trephsyemv5h6nwvvg",
		"took", 1250*time.Microsecond,
		"card_number", "4242424242424242")
	// Output: {"level":"INFO","msg":"payment captured","payment":"pay_01m823j0trephsyemv5h6nwvvg","took":1.25,"card_number":"***"}
}

// Every line of a request can carry its id, at no allocation.
func ExampleOptions_context() {
	type requestID struct{}
	log := timeless(logs.NewHandler(os.Stdout, logs.Options{
		Context: func(ctx context.Context, line *logs.Line) {
			if id, ok := ctx.Value(requestID{}).(string); ok {
				line.Text("request_id", id)
			}
		},
	}))
	ctx := context.WithValue(context.Background(), requestID{}, "req-7")
	log.WarnContext(ctx, "slow query", "rows", 12)
	// Output: {"level":"WARN","msg":"slow query","request_id":"req-7","rows":12}
}

// What is written for every request has a form: half the work is done once.
func ExampleHandler_Form() {
	form := logs.NewHandler(os.Stdout, logs.Options{}).Form("request", "method", "path", "status", "took")
	line := form.Fill(time.Time{}, slog.LevelInfo)
	line.Text("GET")
	line.Text("/payments/pay_7")
	line.Int(200)
	line.Millis(1250 * time.Microsecond)
	if err := line.Write(); err != nil {
		panic(err)
	}
	// Output: {"level":"INFO","msg":"request","method":"GET","path":"/payments/pay_7","status":200,"took":1.25}
}
