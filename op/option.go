package op

import (
	"net/http"
	"slices"
	"time"

	"github.com/ashlar-go/ashlar/access"
	"github.com/ashlar-go/ashlar/fault"
)

// A QueryOption says something about a [Query].
type QueryOption interface{ query(*Spec) }

// A CommandOption says something about a [Command].
type CommandOption interface{ command(*Spec) }

// A StreamOption says something about a [Stream].
type StreamOption interface{ stream(*Spec) }

// An Option says something about an operation of any kind.
type Option interface {
	QueryOption
	CommandOption
	StreamOption
}

type (
	anyOption     func(*Spec)
	queryOption   func(*Spec)
	commandOption func(*Spec)
)

func (o anyOption) query(s *Spec)       { o(s) }
func (o anyOption) command(s *Spec)     { o(s) }
func (o anyOption) stream(s *Spec)      { o(s) }
func (o queryOption) query(s *Spec)     { o(s) }
func (o commandOption) command(s *Spec) { o(s) }

// Options joins several into one, so that a team can name its own policy:
//
//	func backOffice() op.Option { return op.Options(op.Allow(Staff), op.Timeout(time.Minute)) }
func Options(options ...Option) Option {
	return anyOption(func(s *Spec) {
		for _, o := range options {
			o.query(s) // all three methods of an Option are the same function
		}
	})
}

// Allow admits principals that have all of the permissions. Others get 401
// if they are not signed in and 403 if they are, before the input is read.
func Allow(permissions ...access.Permission) Option {
	return anyOption(func(s *Spec) {
		if len(permissions) == 0 {
			s.mistake("Allow names no permission; for every signed-in principal use Authenticated")
		}
		if slices.Contains(permissions, "") {
			s.mistake("Allow names a permission without a name")
		}
		s.grant(ByPermission)
		s.Permissions = append(s.Permissions, permissions...)
	})
}

// Authenticated admits every signed-in principal, whatever its permissions.
func Authenticated() Option { return anyOption(func(s *Spec) { s.grant(ByAnyone) }) }

// Public admits everyone, signed in or not.
func Public() Option { return anyOption(func(s *Spec) { s.grant(ByEveryone) }) }

// Recognized has a [Public] operation know who asks where the caller says so:
// what it answers depends on that, and nobody has to say it. A request without
// a credential is anonymous; one with a bad credential gets 401, as elsewhere.
func Recognized() Option {
	return anyOption(func(s *Spec) { s.Recognizes = true })
}

// IgnoreBody has a command take no notice of a request body, of whatever type:
// for a contract without one whose clients are known to send something. The
// input is in the path alone. Otherwise a body that is not empty is refused.
func IgnoreBody() CommandOption {
	return commandOption(func(s *Spec) { s.IgnoresBody = true })
}

func (s *Spec) grant(a Access) {
	if s.Access != Undeclared {
		s.mistake("says twice who may call it; use one of Allow, Authenticated and Public")
	}
	s.Access = a
}

// Fails lists the faults that the operation may answer with, beside those of
// the framework. They are part of the contract; the test kit fails an
// operation that answers with another.
func Fails(faults ...fault.Coded) Option {
	return anyOption(func(s *Spec) {
		for _, f := range faults {
			if f == nil {
				s.mistake("Fails lists nil")
				continue
			}
			if !slices.ContainsFunc(s.Fails, func(g fault.Coded) bool { return g.Code() == f.Code() }) {
				s.Fails = append(s.Fails, f)
			}
		}
	})
}

// Timeout bounds one call; past it the context ends and the caller gets 504.
func Timeout(d time.Duration) Option {
	return anyOption(func(s *Spec) {
		if d <= 0 {
			s.mistake("Timeout(%v) leaves no time", d)
		}
		s.Timeout = d
	})
}

// Deprecated announces with a Deprecation header (RFC 9745) that callers
// should move on, and with a Sunset header (RFC 8594) when the operation will
// be gone; a zero sunset is not announced.
func Deprecated(since, sunset time.Time) Option {
	return anyOption(func(s *Spec) {
		if since.IsZero() {
			s.mistake("Deprecated does not say since when")
		}
		if !sunset.IsZero() && sunset.Before(since) {
			s.mistake("Deprecated: the sunset is before the deprecation")
		}
		s.Deprecated, s.Sunset = since, sunset
	})
}

// Idempotent makes a retry safe: a request must carry an Idempotency-Key, and
// for ttl a second request of the same principal with the same key gets the
// stored answer instead of a second effect. Another input under the same key
// is refused with 422, a request whose twin still runs with 409. The key and
// the answer are stored in the transaction that makes the effect. The
// operation must not be [Public], since keys belong to a principal, nor answer
// with a [File].
func Idempotent(ttl time.Duration) CommandOption {
	return commandOption(func(s *Spec) {
		if ttl < time.Minute {
			s.mistake("Idempotent(%v): keys must be kept for at least a minute, or a retry comes too late", ttl)
		}
		s.Idempotent = ttl
	})
}

// OptionalKey lets requests do without the key that [Idempotent] demands. Such
// a request is not safe to retry: it suits a command whose repetition the
// state refuses anyway.
func OptionalKey() CommandOption {
	return commandOption(func(s *Spec) { s.KeyOptional = true })
}

// Created answers success with 201 and, if location is not empty, a Location
// header: a path with {members} of the answer, "/payments/{id}".
func Created(location string) CommandOption { return success(http.StatusCreated, location) }

// Accepted answers success with 202, for work that goes on afterwards;
// location names where its state can be read.
func Accepted(location string) CommandOption { return success(http.StatusAccepted, location) }

func success(status int, location string) CommandOption {
	return commandOption(func(s *Spec) { s.Status, s.Location = status, location })
}

// IfMatch makes the command honour an If-Match header: its function calls
// [Match] with the current version, and a caller who saw another one gets
// 412.
func IfMatch() CommandOption {
	return commandOption(func(s *Spec) { s.Match = HonourMatch })
}

// RequireIfMatch is [IfMatch] for a command that nobody may call without the
// header; a request without it gets 428.
func RequireIfMatch() CommandOption {
	return commandOption(func(s *Spec) { s.Match = DemandMatch })
}

// MaxBody sets the greatest size of a request body in bytes; a larger one
// gets 413.
func MaxBody(bytes int64) CommandOption {
	return commandOption(func(s *Spec) {
		if bytes <= 0 {
			s.mistake("MaxBody(%d) leaves no room", bytes)
		}
		s.MaxBody = bytes
	})
}
