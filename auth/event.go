package auth

import (
	"context"
	"strings"
	"time"

	"github.com/ashlar-go/ashlar/access"
	"github.com/ashlar-go/ashlar/id"
)

// A SecurityEvent is one line of the audit log: who did what to whose
// credentials, from where, and how it ended. It holds no secret and nothing
// that someone typed.
type SecurityEvent struct {
	ID      string    `json:"id"` // "sev_…", in the order of time
	At      time.Time `json:"at"`
	Kind    EventKind `json:"kind"`
	Outcome Outcome   `json:"outcome"`
	// Subject is the account that it concerns; empty where none is known.
	Subject string `json:"subject,omitzero"`
	// Actor is the principal that did it; empty where nobody was signed in.
	Actor string `json:"actor,omitzero"`
	// Credential is the session or API key that it concerns.
	Credential string `json:"credential,omitzero"`
	Address    string `json:"address,omitzero"` // IP address of the client
	Agent      string `json:"agent,omitzero"`   // its User-Agent, at most 256 bytes
	Detail     string `json:"detail,omitzero"`  // why, in a few words of ours
}

// An EventKind names what happened, "sign_in".
type EventKind string

// An Outcome is how an event ended.
type Outcome string

// The outcomes.
const (
	Succeeded Outcome = "succeeded"
	Failed    Outcome = "failed"  // the credential was no good
	Refused   Outcome = "refused" // it was not even tried, or not allowed
)

// Audit keeps security events. Record is called on the request's goroutine;
// its error fails what was to be recorded, because an action that leaves no
// trace must not happen.
type Audit interface {
	Record(ctx context.Context, events ...SecurityEvent) error
}

// maxAgent bounds what a client can put into the audit log, in bytes.
const maxAgent = 256

// NewEvent returns an event with its id, its time, the principal of ctx as
// actor and the origin of ctx.
func NewEvent(ctx context.Context, kind EventKind, outcome Outcome) SecurityEvent {
	origin, who := access.OriginOf(ctx), access.From(ctx)
	agent := strings.ToValidUTF8(origin.Agent[:min(len(origin.Agent), maxAgent)], "")
	return SecurityEvent{
		ID: id.New("sev_"), At: time.Now().UTC().Truncate(time.Millisecond), Kind: kind, Outcome: outcome,
		Actor: who.ID, Credential: who.Credential, Address: origin.Address, Agent: agent,
	}
}
