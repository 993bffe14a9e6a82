//go:build ignore

// Command tagged is not part of the package.
package main
