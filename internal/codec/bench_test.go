package codec_test

import (
	"bytes"
	"encoding/json"
	"io"
	"testing"

	jsonv2 "github.com/go-json-experiment/json"
)

// BenchmarkPost compares what a typed POST costs in JSON: reading the payment
// and writing the answer. Only ours checks the rules.
func BenchmarkPost(b *testing.B) {
	b.Run("ours", func(b *testing.B) {
		d, e, out := decoderOf[authorize](b), encoderOf[payment](b), make([]byte, 0, 4096)
		answer, body := somePayment(), []byte(authorizeBody)
		b.ReportAllocs()
		for b.Loop() {
			var in authorize
			if err := d.Decode(body, &in); err != nil {
				b.Fatal(err)
			}
			var err error
			if out, err = e.Append(out[:0], answer); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("v1", func(b *testing.B) {
		answer, body, out := somePayment(), []byte(authorizeBody), &bytes.Buffer{}
		b.ReportAllocs()
		for b.Loop() {
			var in authorize
			if err := json.NewDecoder(bytes.NewReader(body)).Decode(&in); err != nil {
				b.Fatal(err)
			}
			out.Reset()
			if err := json.NewEncoder(out).Encode(answer); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("experiment", func(b *testing.B) {
		answer, body := somePayment(), []byte(authorizeBody)
		b.ReportAllocs()
		for b.Loop() {
			var in authorize
			if err := jsonv2.Unmarshal(body, &in, jsonv2.RejectUnknownMembers(true)); err != nil {
				b.Fatal(err)
			}
			if err := jsonv2.MarshalWrite(io.Discard, answer); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkDecode(b *testing.B) {
	d, body := decoderOf[authorize](b), []byte(authorizeBody)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		var in authorize
		if err := d.Decode(body, &in); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkEncode(b *testing.B) {
	e, v, out := encoderOf[payment](b), somePayment(), make([]byte, 0, 4096)
	b.ReportAllocs()
	for b.Loop() {
		var err error
		if out, err = e.Append(out[:0], v); err != nil {
			b.Fatal(err)
		}
	}
	b.SetBytes(int64(len(out)))
}
