// Package pebbletest tries serve/acme against a certificate authority that it
// runs itself: Pebble, the small one that Let's Encrypt tests clients with.
package pebbletest
