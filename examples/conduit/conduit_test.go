package main

import (
	"os"
	"testing"

	"github.com/ashlar-go/ashlar/ashlartest"
)

// collection is what others wrote to try backends of this contract.
const collection = "../../../shared/suites/realworld/Conduit.postman_collection.json"

// open is the real application on a database of its own, or on a given one.
func open(t *testing.T, env ...string) *ashlartest.App {
	t.Helper()
	app := ashlartest.Open(t, env...)
	build(app.App)
	return app
}

// person registers somebody and returns a client that sends the token.
func person(app *ashlartest.App, name string) *ashlartest.Client {
	u := ashlartest.Call[UserBody](app.Anonymous(), "users.register", newUser(name)).OK().User
	return app.Anonymous().With("Authorization", "Token "+u.Token)
}

func newUser(name string) Register {
	return Register{NewUser{Username: name, Email: name + "@conduit.test", Password: "password1"}}
}

// missing skips a test for want of a program or a file, unless
// ASHLAR_TEST_STRICT says that nothing may be skipped.
func missing(t *testing.T, err error) {
	t.Helper()
	if os.Getenv("ASHLAR_TEST_STRICT") == "1" {
		t.Fatal(err)
	}
	t.Skip(err)
}
