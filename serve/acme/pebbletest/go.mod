// The certificate authority of the test has a module of its own, so that it
// never enters the go.mod of those who use the framework.
module github.com/ashlar-go/ashlar/serve/acme/pebbletest

go 1.26.0

require (
	github.com/ashlar-go/ashlar v0.0.0
	github.com/letsencrypt/pebble/v2 v2.10.1
)

require (
	github.com/go-jose/go-jose/v4 v4.1.4 // indirect
	github.com/letsencrypt/challtestsrv v1.4.2 // indirect
	github.com/miekg/dns v1.1.62 // indirect
	golang.org/x/crypto v0.58.0 // indirect
	golang.org/x/mod v0.41.0 // indirect
	golang.org/x/net v0.61.0 // indirect
	golang.org/x/sync v0.24.0 // indirect
	golang.org/x/sys v0.49.0 // indirect
	golang.org/x/text v0.43.0 // indirect
	golang.org/x/tools v0.51.0 // indirect
)

replace github.com/ashlar-go/ashlar => ../../../
