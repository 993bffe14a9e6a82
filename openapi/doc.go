// Package openapi publishes operations: as an OpenAPI 3.1 document, and as
// pages that people read.
//
//	doc, err := openapi.Document(openapi.Info{Title: "Payments", Version: "1.4.0"}, operations)
//	mux.Handle("GET /openapi.json", openapi.Serve(doc, "application/json"))
//	mux.Handle("GET /docs", openapi.Docs())
//	mux.Handle("GET /docs/{asset}", openapi.Docs())
//	mux.Handle("GET /problems/{slug}", openapi.Problems(operations))
//
// The document is written from the same types that decode requests, so both
// accept and refuse the same bodies. What JSON Schema cannot say is only
// enforced: a member given twice is refused, a whole number is written without
// fraction or exponent (JSON Schema takes 1.0 for an integer), a number must
// fit its Go type, the bytes in a base64 text are counted exactly, leap
// seconds are not taken for a time, nor are moments that are outside the years
// 0 to 9999 in UTC, Validate methods run, and types that read their own JSON
// decide for themselves.
//
// Of answers only the shape is published, not bounds: clients must get along
// with members that they do not know.
//
// Everything here is safe for concurrent use.
package openapi
