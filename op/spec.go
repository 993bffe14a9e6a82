package op

import (
	"context"
	"iter"
	"time"

	"github.com/ashlar-go/ashlar/access"
	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/rule"
)

// A Kind is what an operation does.
type Kind uint8

// The kinds of operations.
const (
	IsQuery Kind = iota
	IsCommand
	IsStream
)

func (k Kind) String() string { return [...]string{"query", "command", "stream"}[k] }

// Access says who may call an operation.
type Access uint8

const (
	// Undeclared is the access of an operation that does not say; [Check]
	// refuses it.
	Undeclared Access = iota
	// ByPermission admits principals with all of [Spec.Permissions].
	ByPermission
	// ByAnyone admits every signed-in principal.
	ByAnyone
	// ByEveryone admits all, signed in or not.
	ByEveryone
)

func (a Access) String() string {
	return [...]string{"undeclared", "permission", "authenticated", "public"}[a]
}

// Returns is the form of an operation's answer.
type Returns uint8

// An operation returns a JSON document, nothing, or bytes (a [File]).
const (
	JSON Returns = iota
	Nothing
	FileBytes
)

// An Operation is a declared operation. Make one with [Query], [Command] or
// [Stream]; it must not be changed afterwards.
type Operation struct{ spec *Spec }

// Spec returns what was declared. It is shared: do not change it.
func (o Operation) Spec() *Spec { return o.spec }

// A Spec is everything that was declared about an operation, for whoever
// derives something from it.
type Spec struct {
	Kind Kind
	// Name is the operation's name, "payments.capture", as it stands in logs,
	// metrics and documents.
	Name string
	// Method and Path are the two halves of the route; {fields} stand for whole
	// segments. [Spec.Pattern] is what a router takes.
	Method, Path string
	// PathFields are the names of the input's members that the path holds, in
	// the path's order.
	PathFields []string

	// In and Out describe the input and the answer (of a Stream: one item).
	// In is always an Object. They are nil if the declaration is mistaken.
	In, Out *rule.Type
	// Returns is the form of the answer.
	Returns Returns
	// Media are the media types that a File may have; none means any.
	Media []string
	// Tagged says that Out, or a pointer to it, has an ETag() string method.
	Tagged bool
	// SetsCookies says that Out, or a pointer to it, is a [CookieSetter].
	SetsCookies bool
	// Identified and Named say that the items of a Stream, or pointers to them,
	// have an EventID and an EventType.
	Identified, Named bool

	Access      Access
	Permissions []access.Permission
	// Recognizes says that an operation for everyone knows who asks, where the
	// caller says so.
	Recognizes bool
	// Fails lists the faults that the operation itself may answer with,
	// beyond those that the framework raises.
	Fails []fault.Coded

	// Status is the status of success.
	Status int
	// Location is a path with {members} of the answer that the Location
	// header gives, or empty.
	Location string
	// Idempotent is how long an outcome is kept for a retry with the same
	// Idempotency-Key; zero means that the command takes no key. A request
	// must have one unless KeyOptional is set.
	Idempotent  time.Duration
	KeyOptional bool
	// Cached says that answers may be kept by the client, for CacheFor.
	Cached   bool
	CacheFor time.Duration
	// Keep says how the server keeps answers too, and is nil if it does not.
	Keep *Keeping
	// Stale is how old the state of the database may be from which a query
	// answers; zero means that it has to be the present one.
	Stale time.Duration
	// Invalidates are the tags that a command drops.
	Invalidates Tagging
	// Match says whether the command honours or demands If-Match.
	Match Matching
	// Timeout is the time that one call may take; zero means the default of
	// whoever serves it.
	Timeout time.Duration
	// Priority says when the operation is refused under overload.
	Priority Rank
	// Concurrency is how many calls may run at once; zero means any number.
	Concurrency int
	// CPU says that the operation computes, and takes its turn with others
	// that do.
	CPU bool
	// MaxBody is the greatest size of a request body in bytes; zero means
	// the default of whoever serves it.
	MaxBody int64
	// IgnoresBody says that a command takes no notice of a request body.
	IgnoresBody bool
	// Quotas are how often the operation may be called, beyond what an app
	// sets for all of them.
	Quotas []Quota
	// Deprecated is when the operation was deprecated, and Sunset when it
	// will go; zero means not.
	Deprecated, Sunset time.Time

	// Package and Handler name the Go function, "Service.Capture"; Source is
	// the file and line of the declaration.
	Package, Handler, Source string

	// Summary and Description come from the handler's doc comment; see
	// [Docs].
	Summary, Description string
	// Docs explains the types and fields of In and Out.
	Docs Docs

	// NewCall returns a call to fill and run. It is nil for a Stream.
	NewCall func() Call
	// NewStream returns an input to fill and the stream's function.
	NewStream func() (in any, open func(context.Context) iter.Seq2[any, error])

	routed bool // the route is well formed
	errs   []error
}

// Asks reports whether a request's credential is looked at.
func (s *Spec) Asks() bool { return s.Access != ByEveryone || s.Recognizes }

// A Call is one run of a Query or Command. It is pooled: after Release none
// of what it gave out may be used. It is not safe for concurrent use.
type Call interface {
	// In returns a pointer to the zero input, to be filled.
	In() any
	// Do runs the operation's function.
	Do(ctx context.Context) error
	// Out returns a pointer to the answer, valid after Do returned nil.
	Out() any
	// Release gives the call back.
	Release()
}

// Matching says what a command does with If-Match.
type Matching uint8

// A command ignores If-Match, honours it, or demands it with 428.
const (
	NoMatch Matching = iota
	HonourMatch
	DemandMatch
)
