package ashlar_test

import (
	"strings"
	"testing"
)

// The commands of an operator change accounts in the database, from which
// servers that run learn of it.
func TestUserCommands(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, c := range []struct {
		args  string
		typed string
		code  int
		want  string
	}{
		{args: "user add --email=ann@b.test --role=clerk", typed: "square-and-true\n", want: "ann@b.test (clerk)"},
		{args: "user role ann@b.test king", code: 1, want: `no role "king"`},
		{args: "user role bob@b.test admin", code: 1, want: "nobody with the address bob@b.test"},
		{args: "user role ANN@b.test admin", want: "ann@b.test is admin"},
		{args: "user password ann@b.test", typed: "password1\n", code: 1, want: "common"},
		{args: "user password ann@b.test", typed: "quarry-and-chisel\n", want: "has another password"},
		{args: "user disable ann@b.test", want: "is disabled"},
		{args: "user list", want: "admin"},
		{args: "user enable ann@b.test", want: "may sign in"},
		{args: "user enable", code: 2, want: "<email>"},
		{args: "audit", want: "role_changed"},
	} {
		cmd := app(t, "good", []string{"ASHLAR_DATA_DIR=" + dir}, strings.Fields(c.args)...)
		cmd.Stdin = strings.NewReader(c.typed)
		out, code := output(t, cmd)
		if code != c.code || !strings.Contains(out, c.want) {
			t.Errorf("%s: exit code %d, want %d with %q:\n%s", c.args, code, c.code, c.want, out)
		}
		if strings.Contains(out, "quarry") {
			t.Errorf("%s shows a password:\n%s", c.args, out)
		}
	}
}
