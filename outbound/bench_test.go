package outbound_test

import (
	"io"
	"log"
	"net/http"
	"net/url"
	"testing"

	"github.com/ashlar-go/ashlar/outbound"
)

var quiet = log.New(io.Discard, "", 0)

// The two benchmarks below are meant to be compared in one run: what the guard
// costs a call on a kept connection.
func BenchmarkGuarded(b *testing.B) {
	benchmarkCall(b, outbound.New(outbound.Config{Allow: loopback}).HTTP())
}

func BenchmarkBareClient(b *testing.B) { benchmarkCall(b, &http.Client{Transport: &http.Transport{}}) }

func benchmarkCall(b *testing.B, client *http.Client) {
	b.Helper()
	s, _ := upstream(b, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok")) })
	b.ReportAllocs()
	for b.Loop() {
		res, err := client.Get(s.URL)
		if err != nil {
			b.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, res.Body)
		_ = res.Body.Close()
	}
}

func BenchmarkCheckURL(b *testing.B) {
	for name, raw := range map[string]string{"address": "https://[2a00:1450:4001::1]/", "name": "https://hooks.example.com/a"} {
		b.Run(name, func(b *testing.B) {
			u, err := url.Parse(raw)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if err := (outbound.Config{}).CheckURL(u); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
