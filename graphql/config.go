package graphql

import (
	"cmp"
	"log/slog"
	"net/http"
	"time"

	"github.com/ashlar-go/ashlar/internal/talk"
	"github.com/ashlar-go/ashlar/op"
)

// Config says what an endpoint lets its callers do. The zero Config is the
// careful one.
type Config struct {
	// Introspection lets callers ask for the schema. Leave it off in
	// production: the schema is printed by [SDL] for those who may have it.
	Introspection bool
	// Limits bound a request.
	Limits Limits
	// Relations are fields that lead from one answer to others, and Related
	// answers the requests of their operations.
	Relations []op.Relation
	Related   http.Handler
	// Credentials are the headers that say who asks. They are handed to the
	// operations as they came; Authorization if there are none.
	Credentials []string
	// Sockets keeps the connections of clients that speak graphql-transport-ws: a
	// live.Server does. Nil answers no handshake.
	Sockets Sockets
	// InitWait is how long such a connection may be open before its client has
	// sent connection_init: 10s if zero.
	InitWait time.Duration
	// Log is told of what failed on our side. Nil logs nothing.
	Log *slog.Logger
}

// Sockets keeps connections on which somebody else's protocol is spoken.
type Sockets interface {
	Talk(w http.ResponseWriter, r *http.Request, p talk.Protocol)
}

// Limits bound what one request may ask. A limit of zero is the one that its
// comment names; none can be switched off.
type Limits struct {
	// Body is the greatest size of a request's body, in bytes: 256 KiB.
	Body int64
	// Tokens are the words and signs of a document: 5000.
	Tokens int
	// Depth is how far fields may be nested: 20.
	Depth int
	// Selections are fields, with those of fragments wherever they are used:
	// 1000.
	Selections int
	// Aliases are fields that are given another name: 50.
	Aliases int
	// Operations are the operations that one document may call: 20.
	Operations int
	// Cost is how many values an answer may have. A page counts as many items
	// as were asked for: 20000.
	Cost int
	// Plans are how many compiled documents are kept, and how many texts for
	// their hashes: 1000 each.
	Plans int
}

func (l Limits) orStandard() Limits {
	return Limits{
		Body:       cmp.Or(max(l.Body, 0), 256<<10),
		Tokens:     cmp.Or(max(l.Tokens, 0), 5000),
		Depth:      cmp.Or(max(l.Depth, 0), 20),
		Selections: cmp.Or(max(l.Selections, 0), 1000),
		Aliases:    cmp.Or(max(l.Aliases, 0), 50),
		Operations: cmp.Or(max(l.Operations, 0), 20),
		Cost:       cmp.Or(max(l.Cost, 0), 20_000),
		Plans:      cmp.Or(max(l.Plans, 0), 1000),
	}
}
