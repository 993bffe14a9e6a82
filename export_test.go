package ashlar

import (
	"context"
	"net/http"

	"github.com/ashlar-go/ashlar/auth"
	"github.com/ashlar-go/ashlar/cache"
	"github.com/ashlar-go/ashlar/db"
	"github.com/ashlar-go/ashlar/logs"
)

// APIKeyStoreOf is where an app keeps its API keys.
func APIKeyStoreOf(a *App) auth.APIKeyStore { return apiKeyTable{a} }

// FactorStoreOf is where an app keeps its second factors.
func FactorStoreOf(a *App) auth.FactorStore { return factorTable{a.DB, a.audit()} }

// NoteAPIKeys is the task that writes when API keys were used.
func NoteAPIKeys(ctx context.Context, a *App) error { return a.noteAPIKeys(ctx) }

// FollowRevocations is the task that keeps up with other instances.
func FollowRevocations(ctx context.Context, a *App) error { return a.followRevocations(ctx) }

// LoadRevocations is one step of that task.
func LoadRevocations(ctx context.Context, a *App) error { return a.loadRevocations(ctx) }

// AdminOf is what an app's private listener serves.
func AdminOf(a *App) (http.Handler, error) { return a.admin() }

// RequestIDs is what the log adds to each line.
func RequestIDs(ctx context.Context, line *logs.Line) { requestIDs(ctx, line) }

// BusTasks are what an app does in the background for its Redis, and to wake
// other instances and be woken.
func BusTasks(a *App) []Task { return append(a.redisTasks(), a.busTasks()...) }

// StartedOf says that an app's start is over.
func StartedOf(a *App) { a.health.Started() }

// UseCache gives an app another cache before anything is derived of it.
func UseCache(a *App, c *cache.Cache) {
	a.Cache = c
	a.caching = &caching{cache: c, metrics: a.metrics, kept: map[string]answers{}, ends: new(ends)}
}

// NoteInvalidation writes what another process would read of an invalidation
// whose own process died right after the commit.
func NoteInvalidation(ctx context.Context, a *App, tx *db.Tx, tags ...string) error {
	return journal{a.DB, a.Events, new(ends)}.Append(ctx, tx, cache.Note{Origin: "ins_dead", Turn: 1, Tags: tags})
}
