package cache

import (
	"context"
	"time"
)

// A Remote is a tier behind the memory of a process: one store for all
// instances of an application, such as Redis. Implement it over whatever keeps
// bytes under keys for a while; package cachetest proves it like the others.
//
// It is trusted with little. A value carries its own version, so a Remote may
// forget whatever it likes and whenever, be emptied, fail over to a copy that
// is behind, or bring back a value that was replaced: what has tags is checked
// against the [Journal] before it is used. What a Remote must not do is to give a
// value to another key, or part of one, or to change one.
//
// Methods are called by many goroutines at once. They return soon after ctx
// has ended, with any error. An error is counted and means a miss; nothing is
// tried again, and after several in a row the Remote is left alone for a
// while. So there is no need for retries or for a breaker in here.
type Remote interface {
	// Get returns the value of a key, which is the caller's from then on, or
	// nothing, of length 0, where there is none. To have none is no error.
	Get(ctx context.Context, key string) ([]byte, error)
	// Set keeps value under key in place of what is there, for ttl and not
	// longer; a Remote with a coarser clock rounds down to no less than a
	// millisecond. The value is not empty, ttl is at least a millisecond. The
	// bytes are the caller's again when Set has returned.
	Set(ctx context.Context, key string, value []byte, ttl time.Duration) error
}

// Bounds of what a [Remote] is given.
const (
	// MaxRemoteKey is the most bytes of a key. It consists of A-Z, a-z, 0-9
	// and any of - _ : and nothing else.
	MaxRemoteKey = 128
	// MaxRemoteValue is the most bytes of a value; what is larger stays in the
	// memory of the process that loaded it.
	MaxRemoteValue = 1 << 20
)
