// Package pact verifies a provider against the pacts of its consumers, and
// records pacts from a consumer's tests. All of it is Go: there is no native
// library to load and no process to start.
//
// A pact is a file in which a consumer has written what it sends and what it
// needs of the answer, example by example, with rules for what may differ.
// Files of version 1 to 4 of the Pact specification are read, with requests
// over HTTP and asynchronous messages. What a file asks for and this package
// cannot do (XML, plugins, regular expressions beyond RE2) fails its
// interaction with [ErrUnsupported]: nothing counts as verified that was not.
//
// A provider is verified in its tests:
//
//	pact.Test(t, pact.Config{
//		Provider: "payments",
//		Handler:  handler, // or URL
//		Sources:  []pact.Source{pact.Folder("testdata/pacts")},
//		States:   map[string]pact.Setup{"a payment": makePayment},
//	})
//
// A regular expression must match a text as a whole, as in the specification's
// own cases. Values whose names say that they are secret are not shown.
package pact
