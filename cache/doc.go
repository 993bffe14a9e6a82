// Package cache keeps what is read often in the memory of the process, and
// behind that in a tier that all instances share.
//
// What is kept has tags, and a write invalidates them in its own transaction.
// A [Log] tells the other instances, so that none of them goes on with an old
// value for longer than a bound. The shared tier is a [Remote].
package cache
