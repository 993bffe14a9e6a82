package ashlar_test

import (
	"context"
	"net/http"
	"testing"

	"github.com/ashlar-go/ashlar"
	"github.com/ashlar-go/ashlar/access"
	"github.com/ashlar-go/ashlar/ashlartest"
	"github.com/ashlar-go/ashlar/op"
)

// TestTheAccessMatrixSaysWhoMay: the table and the gate say the same of each
// operation and role (P10.15), and a plain handler is not left out.
func TestTheAccessMatrixSaysWhoMay(t *testing.T) {
	t.Parallel()
	const read, write access.Permission = "notes:read", "notes:write"
	nothing := func(context.Context, struct{}) (struct{}, error) { return struct{}{}, nil }

	app := ashlartest.Open(t)
	app.Grant("writer", read, write)
	app.Grant("reader", read)
	app.GrantAll("owner")
	app.Mount(ashlar.Module{Name: "notes", Operations: []op.Operation{
		op.Query("notes.read", "GET /notes", nothing, op.Allow(read)),
		op.Command("notes.write", "POST /notes", nothing, op.Allow(read, write)),
		op.Query("notes.mine", "GET /notes/mine", nothing, op.Authenticated()),
		op.Query("notes.news", "GET /news", nothing, op.Public()),
	}})
	app.Handle("GET /page", http.NotFoundHandler())

	want := `OPERATION    ROUTE            NEEDS                   nobody  owner  reader  writer
notes.read   GET /notes       notes:read              -       yes    yes     yes
notes.write  POST /notes      notes:read+notes:write  -       yes    -       yes
notes.mine   GET /notes/mine  authenticated           -       yes    yes     yes
notes.news   GET /news        public                  yes     yes    yes     yes
(handler)    GET /page        its own affair          ?       ?      ?       ?
`
	if got := app.AccessMatrix(); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	for role, may := range map[string]bool{"owner": true, "reader": false, "writer": true} {
		got := app.AsRole("usr_1", "", role).Do("POST", "/notes", "").Code
		if (got != http.StatusForbidden) != may {
			t.Errorf("notes.write answers %d to %s", got, role)
		}
	}
}
