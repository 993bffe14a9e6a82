// Package client holds the clients of the payments API, which are made from its
// operations: payments.ts is written by the command "client ts", and payments.js
// is what the TypeScript compiler makes of it, for pages without a build step.
package client

import _ "embed"

//go:embed payments.js
var javaScript []byte

// JavaScript returns the client as a module for browsers.
func JavaScript() []byte { return javaScript }
