package ashlartest_test

import (
	"context"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/ashlar-go/ashlar"
	"github.com/ashlar-go/ashlar/access"
	"github.com/ashlar-go/ashlar/ashlartest"
	"github.com/ashlar-go/ashlar/db"
	"github.com/ashlar-go/ashlar/op"
)

// leak says which defect TestAttackedNotebook has.
const leak = "ASHLAR_TEST_LEAK"

// TestAttackFindsWhatIsWrong runs the attack on notebooks with a defect each,
// in a process of its own, because it is a test that has to fail.
func TestAttackFindsWhatIsWrong(t *testing.T) {
	t.Parallel()
	for defect, want := range map[string]string{
		"none":                 "",
		"shows foreign notes":  "answers 200 to a clerk of \"b\" for an object of somebody else, want 404",
		"tells that they are":  "tells a clerk of \"b\" that an object of somebody else is there",
		"destroys them":        "answers its owner 404 after a stranger tried",
		"shows private notes":  "answers 200 to a boss of \"\" for an object of somebody else",
		"says nothing of them": "notes.get takes id from clerk, who must not touch another tenant's",
		"hides them deeper":    "leaky.move takes ids, to.shelf_id from clerk, who must not touch another tenant's",
	} {
		t.Run(defect, func(t *testing.T) {
			t.Parallel()
			cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestAttackedNotebook$", "-test.v")
			cmd.Env = append(os.Environ(), leak+"="+defect)
			out, err := cmd.CombinedOutput()
			if failed := err != nil; failed != (want != "") || !strings.Contains(string(out), want) {
				t.Errorf("the attack ended with %v, and did not say %q:\n%s", err, want, out)
			}
		})
	}
}

// TestAttackedNotebook attacks a notebook whose defect the environment names.
func TestAttackedNotebook(t *testing.T) {
	t.Parallel()
	defect := os.Getenv(leak)
	if defect == "" {
		return // it is no test of its own: TestAttackFindsWhatIsWrong runs it, once for each defect
	}
	app := open(t)
	app.Grant("clerk", read, write)
	app.Grant("boss", read, write)
	app.Mount(ashlar.Module{Name: "leaky", Operations: []op.Operation{
		op.Query("leaky.get", "GET /leaky/{id}", func(ctx context.Context, in byID) (note, error) {
			return leaky(ctx, app.DB, defect, in)
		}, op.Allow(read), op.Fails(errNoNote, errTaken)),
	}})
	if defect == "hides them deeper" {
		app.Mount(ashlar.Module{Name: "mover", Operations: []op.Operation{
			op.Command("leaky.move", "POST /leaky", func(context.Context, move) (struct{}, error) { return struct{}{}, nil }, op.Allow(write)),
		}})
	}
	made := 0
	a := ashlartest.Attack{
		Confined: []string{"clerk"},
		Tenants:  [2]string{"a", "b"},
		Objects: map[string]ashlartest.Object{
			"leaky.get": {
				Make: func(c *ashlartest.Client) any {
					made++
					return byID{call(c, "notes.create", newNote{strconv.Itoa(made)}).OK().ID}
				},
				Personal: defect == "shows private notes",
			},
		},
		Shared: map[string]string{"notes.get": "tried as leaky.get"},
	}
	if defect == "says nothing of them" {
		a.Shared = nil
	}
	a.Run(t, app)
}

// move names objects where a quick look does not find them.
type move struct {
	IDs []string `json:"ids"`
	To  place    `json:"to"`
}

type place struct {
	ShelfID string `json:"shelf_id"`
}

// leaky finds a note of the caller's account, or what the defect lets it find.
func leaky(ctx context.Context, d *db.DB, defect string, in byID) (note, error) {
	me := access.From(ctx)
	n, err := db.One[note](ctx, d, `SELECT id, account, title FROM notes WHERE id = $1`, in.ID)
	switch {
	case err != nil:
		return note{}, errNoNote
	case n.Account == me.Account || me.Role == "boss" || defect == "shows foreign notes":
		return n, nil
	case defect == "tells that they are":
		return note{}, errTaken
	case defect == "destroys them":
		if _, err := db.Exec(ctx, d, `DELETE FROM notes WHERE id = $1`, in.ID); err != nil {
			return note{}, err
		}
	}
	return note{}, errNoNote
}
