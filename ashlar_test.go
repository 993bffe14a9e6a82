package ashlar_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"iter"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"
	"time"

	"github.com/ashlar-go/ashlar"
	"github.com/ashlar-go/ashlar/ashlartest"
	"github.com/ashlar-go/ashlar/config"
	"github.com/ashlar-go/ashlar/event"
	"github.com/ashlar-go/ashlar/op"
	"github.com/ashlar-go/ashlar/rule"
)

// TestMain lets the test binary be an app: the tests of the command line run
// it as a child, the way a user runs a program.
func TestMain(m *testing.M) {
	switch os.Getenv("ASHLAR_TEST_APP") {
	case "":
		os.Exit(m.Run())
	case "good":
		ashlar.Main(func(ctx context.Context) error { return run(ctx, greetings()) })
	case "wired":
		ashlar.Main(func(ctx context.Context) error { return run(ctx, greetings(), wire) })
	case "laden":
		ashlar.Main(func(ctx context.Context) error {
			return run(ctx, greetings(), func(a *ashlar.App) {
				a.Mount(speech())
				a.Mount(shippingEvents(a, new(error)))
				a.Mount(parcelsFollowed(a))
			})
		})
	case "mistaken":
		ashlar.Main(func(ctx context.Context) error { return run(ctx, mistaken()) })
	}
}

func run(ctx context.Context, m ashlar.Module, more ...func(*ashlar.App)) error {
	cfg, err := config.Load[ashlar.Config](os.LookupEnv)
	if err != nil {
		return err
	}
	app, err := ashlar.Open(ctx, cfg)
	if err != nil {
		return err
	}
	defer app.Close()
	app.Grant("clerk", "greetings:read")
	app.GrantAll("admin")
	app.Mount(ashlar.SignIn(app))
	app.Mount(m)
	for _, with := range more {
		with(app)
	}
	return app.Run(ctx)
}

type name struct {
	Name string `json:"name"`
}

type greeting struct {
	Text string `json:"text"`
}

func greet(_ context.Context, in name) (greeting, error) {
	if in.Name == "panic" {
		panic("boom")
	}
	return greeting{"Hello " + in.Name}, nil
}

// watch greets once and then listens.
func watch(ctx context.Context, in name) iter.Seq2[greeting, error] {
	return func(yield func(greeting, error) bool) {
		if yield(greeting{"Hello " + in.Name}, nil) {
			<-ctx.Done()
		}
	}
}

func migrationsOfGreetings() fstest.MapFS {
	list := fstest.MapFS{"1_seen.sql": {Data: []byte("-- +goose Up\nCREATE TABLE seen (name TEXT);\n-- +goose Down\nDROP TABLE seen;\n")}}
	if name := os.Getenv("ASHLAR_TEST_MIGRATION"); name != "" {
		list["2_"+name+".sql"] = &fstest.MapFile{Data: []byte("-- +goose Up\nThis is no SQL;\n")}
	}
	return list
}

func greetings() ashlar.Module {
	return ashlar.Module{
		Name: "greetings",
		Operations: []op.Operation{
			op.Query("greetings.public", "GET /hello/{name}", greet, op.Public()),
			op.Query("greetings.private", "GET /private/{name}", greet, op.Allow("greetings:read")),
			op.Query("greetings.locked", "GET /locked/{name}", greet, op.Allow("greetings:lock")),
			op.Stream("greetings.watch", "GET /watch/{name}", watch, op.Allow("greetings:read")),
			op.Stream("greetings.see", "GET /see/{name}", watch, op.Public()),
		},
		Migrations: migrationsOfGreetings(),
		Tasks: []ashlar.Task{{Name: "greetings.fail", Run: func(context.Context) error {
			return errors.New("this task fails")
		}}},
		Demo: func(context.Context) (string, error) { return "a note of the demo", nil },
	}
}

// speech is what is called under load.
func speech() ashlar.Module {
	return ashlar.Module{Name: "speech", Operations: []op.Operation{
		op.Command("speech.say", "POST /say", greet, op.Public()),
		op.Command("speech.slowly", "POST /slowly", func(ctx context.Context, in name) (greeting, error) {
			time.Sleep(300 * time.Millisecond)
			return greet(ctx, in)
		}, op.Public()),
		op.Command("speech.never", "POST /never", func(context.Context, name) (greeting, error) {
			select {} // as for a lock that nobody opens
		}, op.Public()),
	}}
}

// followed is a parcel with its place in a stream.
type followed struct {
	consignment

	place string
}

func (f followed) EventID() string { return f.place }

// parcelsFollowed streams what was shipped since a place.
func parcelsFollowed(a *ashlar.App) ashlar.Module {
	return ashlar.Module{Name: "followed", Operations: []op.Operation{
		op.Stream("followed.parcels", "GET /followed", func(ctx context.Context, _ struct{}) iter.Seq2[followed, error] {
			return func(yield func(followed, error) bool) {
				for r, err := range a.Events.Records(ctx, event.Filter{Topics: []string{string(shipped)}}, event.AfterID(op.LastEventID(ctx))) {
					var f followed
					if err == nil {
						f.place = r.ID
						f.consignment, err = event.Decode[consignment](r)
					}
					if !yield(f, err) || err != nil {
						return
					}
				}
			}
		}, op.Public()),
	}}
}

type unlucky struct {
	N int `json:"n"`
}

func (u *unlucky) Rules(r *rule.Set) { rule.Number(r, &u.N).Min(u.N) }

func mistaken() ashlar.Module {
	return ashlar.Module{
		Name: "mistaken",
		Operations: []op.Operation{
			op.Query("m.open", "GET /open", greet),
			op.Query("m.path", "GET /path/{nobody}/{name}", greet, op.Public()),
			op.Query("m.rule", "GET /rule", func(context.Context, unlucky) (greeting, error) { return greeting{}, nil }, op.Public()),
			op.Query("m.twice", "GET /a/{name}", greet, op.Public()),
			op.Query("m.twice", "GET /b/{name}", greet, op.Public()),
		},
	}
}

// app prepares a command of the child app with an environment of its own.
func app(t testing.TB, which string, env []string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], args...)
	cmd.Dir = t.TempDir()
	if slices.Contains(env, "ASHLAR_TEST_PROGRAM=copy") { // one that can be replaced
		cmd.Path = filepath.Join(t.TempDir(), "program")
		cmd.Args[0] = cmd.Path
		if err := replaceProgram(cmd.Path, os.Args[0]); err != nil {
			t.Fatal(err)
		}
	}
	data := filepath.Join(cmd.Dir, "data")
	for _, v := range env {
		if dir, ok := strings.CutPrefix(v, "ASHLAR_DATA_DIR="); ok {
			data = dir
		}
	}
	cmd.Env = []string{"ASHLAR_TEST_APP=" + which, "ASHLAR_DATA_DIR=" + data, "HOME=" + cmd.Dir}
	if os.Getenv("ASHLAR_TEST_DATABASE") == "postgres" {
		cmd.Env = append(cmd.Env, "DATABASE_URL="+ashlartest.DatabaseIn(t, data))
	}
	cmd.Env = append(cmd.Env, env...)
	return cmd
}

// replaceProgram puts what another file holds in the program's place.
func replaceProgram(program, with string) error {
	b, err := os.ReadFile(with)
	if err != nil {
		return err
	}
	mode := os.FileMode(0o700)
	if info, err := os.Stat(with); err != nil || info.Mode()&0o111 == 0 {
		mode = 0o600
	}
	return errors.Join(os.WriteFile(program+".new", b, mode), os.Rename(program+".new", program))
}

// output runs a command to its end.
func output(t testing.TB, cmd *exec.Cmd) (out string, code int) {
	t.Helper()
	text, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return string(text), cmd.ProcessState.ExitCode()
}

func TestCommandLine(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		which string
		env   []string
		args  []string
		code  int
		want  []string
		never []string
	}{
		"help lists the commands":               {args: []string{"--help"}, want: []string{"serve", "migrate up", "ops", "openapi", "user add", "keys new"}},
		"a typing error gets the nearest":       {args: []string{"migrat"}, code: 2, want: []string{`did you mean "migrate"`, "--help"}},
		"an unknown flag":                       {args: []string{"serve", "--prot"}, code: 2, want: []string{"unknown flag --prot"}},
		"a command that needs another":          {args: []string{"migrate"}, code: 2, want: []string{"up", "down", "status"}},
		"operations as a table":                 {args: []string{"ops"}, want: []string{"greetings.private", "GET /private/{name}", "greetings:read", "admin clerk", "auth.login", "credentials_wrong"}},
		"a permission that no role was granted": {args: []string{"ops"}, want: []string{"greetings:lock  admin  "}},
		"operations of a contract of its own":   {which: "wired", args: []string{"ops"}, want: []string{"public, recognized", "ignores-body", "Authorization: Token", "ashlar_test.refusal (application/json), and as application/problem+json where Accept names it"}},
		"its client in Go":                      {which: "wired", args: []string{"client", "go"}, want: []string{`const scheme = "Token"`, `name: "wired.see", method: "GET", path: "/see", keyed: false, open: false`}},
		"its client in TypeScript":              {which: "wired", args: []string{"client", "ts"}, want: []string{"const scheme = 'Token'", "{ name: 'wired.see', method: 'GET', path: '/see' }"}},
		"the document":                          {args: []string{"openapi"}, want: []string{`"openapi": "3.1`, "/hello/{name}"}},
		"the document as YAML":                  {args: []string{"openapi", "--yaml"}, want: []string{"openapi: ", "/hello/{name}:"}},
		"the settings":                          {args: []string{"config"}, want: []string{"ASHLAR_ADDR", "DATABASE_URL"}},
		"a key":                                 {args: []string{"keys", "new"}, env: []string{"ASHLAR_ENV=production"}},
		"no migration yet":                      {args: []string{"migrate", "status"}, want: []string{"1_seen.sql", "pending"}},
		"migrations":                            {args: []string{"migrate", "up"}, want: []string{"greetings 1_seen.sql"}},
		"nothing to take back":                  {args: []string{"migrate", "down"}, want: []string{"Nothing to do"}},
		"an audit log without an event":         {args: []string{"audit", "--failed"}, want: []string{"OUTCOME"}},
		"more events than anybody reads":        {args: []string{"audit", "--limit=0"}, code: 1, want: []string{"--limit", "1 to 100000"}},
		"who may call what":                     {args: []string{"ops", "--access"}, want: []string{"nobody", "clerk", "GET /private/{name}"}},
		"an unknown role":                       {args: []string{"user", "add", "--email=a@b.test", "--role=king"}, code: 1, want: []string{`no role "king"`, "admin, clerk"}},
		"settings that are wrong, all of them": {
			env: []string{"ASHLAR_DRAIN_TIMEOUT=soon", "ASHLAR_ENV=prod", "PORT=http"}, code: 1,
			want: []string{"ASHLAR_DRAIN_TIMEOUT", "ASHLAR_ENV", "PORT", "production"},
		},
		"settings that do not exist, beside those that are wrong": {
			env: []string{"ASHLAR_ADR=:1", "ASHLAR_LOG_LEVEL=loud", "ASHLAR_DRAIN_TIMEOUT=soon"}, code: 1,
			want: []string{"3 mistakes", "ASHLAR_ADR", "ASHLAR_LOG_LEVEL", "ASHLAR_DRAIN_TIMEOUT"},
		},
		"settings that no type finds wrong, all of them": {
			env: []string{"ASHLAR_ENV=production", "ASHLAR_SIGNING_KEYS=hunter2", "ASHLAR_TOKEN_TTL=2h", "DATABASE_URL=mysql://u:secret@h/d"}, code: 1,
			want: []string{"3 mistakes", "ASHLAR_SIGNING_KEYS", "ASHLAR_TOKEN_TTL", "DATABASE_URL"}, never: []string{"hunter2", "secret@"},
		},
		"health in sight of the world in development": {env: []string{"ASHLAR_ADMIN_ADDR=0.0.0.0:0"}, code: 1, want: []string{"ASHLAR_ADMIN_ADDR", "loopback"}},
		"a setting that does not exist":               {env: []string{"ASHLAR_ADR=:1"}, code: 1, want: []string{"ASHLAR_ADR", "ASHLAR_ADDR"}},
		"production without its secret":               {env: []string{"ASHLAR_ENV=production"}, code: 1, want: []string{"ASHLAR_SIGNING_KEYS", "keys new"}},
		"production with half a secret":               {env: []string{"ASHLAR_ENV=production", "ASHLAR_SIGNING_KEYS=hunter2"}, code: 1, want: []string{"ASHLAR_SIGNING_KEYS"}, never: []string{"hunter2"}},
		"development in sight of the world":           {env: []string{"ASHLAR_ADDR=0.0.0.0:0"}, code: 1, want: []string{"loopback", "ASHLAR_ENV=production"}},
		"a database of another kind":                  {env: []string{"DATABASE_URL=mysql://u:secret@h/d"}, code: 1, want: []string{"DATABASE_URL", "sqlite:PATH"}, never: []string{"secret"}},
		"an address that cannot be had":               {env: []string{"ASHLAR_ADDR=127.0.0.1:99999", "ASHLAR_ADMIN_ADDR=127.0.0.1:0"}, code: 1, want: []string{"ASHLAR_ADDR", "99999"}},
		"migrations left to an operator":              {env: []string{"ASHLAR_MIGRATE=manual"}, code: 1, want: []string{"pending", "migrate up"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			which := c.which
			if which == "" {
				which = "good"
			}
			out, code := output(t, app(t, which, c.env, c.args...))
			if code != c.code {
				t.Errorf("exit code %d, want %d", code, c.code)
			}
			for _, want := range c.want {
				if !strings.Contains(out, want) {
					t.Errorf("%q is missing", want)
				}
			}
			for _, never := range c.never {
				if strings.Contains(out, never) {
					t.Errorf("%q is shown", never)
				}
			}
			if t.Failed() {
				t.Log(out)
			}
		})
	}
}

func TestEveryMistakeIsReportedAtOnce(t *testing.T) {
	t.Parallel()
	out, code := output(t, app(t, "mistaken", nil))
	if code != 1 {
		t.Errorf("exit code %d", code)
	}
	for operation, want := range map[string]string{
		"m.open":  "does not say who may call it",
		"m.path":  "{nobody}",
		"m.rule":  "depends on a value",
		"m.twice": "already taken",
	} {
		line := regexp.MustCompile(`(?m)^.*ashlar_test\.go:\d+: ` + operation + `: .*` + regexp.QuoteMeta(want))
		if !line.MatchString(out) {
			t.Errorf("%s: no line with its place and %q", operation, want)
		}
	}
	if t.Failed() {
		t.Log(out)
	}
}

// A file left behind must not decide about production, and asking for it there
// must not be taken for development with its demo accounts.
func TestDotEnv(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		file string
		env  []string
		code int
		want string
	}{
		"fills in":                        {"ASHLAR_MIGRATE=manual", nil, 1, "is manual"},
		"gives way to the environment":    {"ASHLAR_MIGRATE=manual", []string{"ASHLAR_MIGRATE=perhaps"}, 1, "perhaps"},
		"is not read in production":       {"ASHLAR_MIGRATE=perhaps", []string{"ASHLAR_ENV=production"}, 1, "ASHLAR_SIGNING_KEYS"},
		"cannot ask for production":       {"ASHLAR_ENV=production", nil, 1, "production does not read this file"},
		"nor beside an empty environment": {"ASHLAR_ENV=production", []string{"ASHLAR_ENV="}, 1, "production does not read this file"},
		"broken":                          {"ASHLAR_MIGRATE", nil, 1, "line 1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cmd := app(t, "good", c.env)
			if err := os.WriteFile(filepath.Join(cmd.Dir, ".env"), []byte(c.file+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			if out, code := output(t, cmd); code != c.code || !strings.Contains(out, c.want) {
				t.Errorf("exit code %d without %q:\n%s", code, c.want, out)
			}
		})
	}
}

func TestDatabaseThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	cmd := app(t, "good", nil)
	file := filepath.Join(cmd.Dir, "not-a-database")
	if err := os.WriteFile(file, bytes.Repeat([]byte("text"), 4096), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd.Env = append(cmd.Env, "DATABASE_URL=sqlite:"+file)
	out, code := output(t, cmd)
	if code != 1 || !strings.Contains(out, file) || !strings.Contains(out, "DATABASE_URL") {
		t.Errorf("exit code %d: %s", code, out)
	}
}

func TestUserAdd(t *testing.T) {
	t.Parallel()
	add := func(dir, email, password string) (string, int) {
		cmd := app(t, "good", []string{"ASHLAR_DATA_DIR=" + dir}, "user", "add", "--email="+email, "--role=clerk")
		cmd.Dir = dir
		cmd.Stdin = strings.NewReader(password + "\n")
		return output(t, cmd)
	}
	dir := t.TempDir()
	if out, code := add(dir, "Ann@B.test", "square-and-true"); code != 0 || !strings.Contains(out, "ann@b.test (clerk)") {
		t.Errorf("exit code %d: %s", code, out)
	}
	if out, code := add(dir, "ann@b.test", "square-and-true"); code != 1 || !strings.Contains(out, "already") {
		t.Errorf("exit code %d: %s", code, out)
	}
	if out, code := add(dir, "bob", "short"); code != 1 || !strings.Contains(out, "email") || !strings.Contains(out, "password") || strings.Contains(out, "short\n") {
		t.Errorf("exit code %d: %s", code, out)
	}
	cmd := app(t, "good", []string{"ASHLAR_DATA_DIR=" + dir}, "user", "list")
	if out, code := output(t, cmd); code != 0 || strings.Count(out, "usr_") != 1 {
		t.Errorf("exit code %d: %s", code, out)
	}
}

// serving starts an app and waits until it says where it serves.
type serving struct {
	cmd           *exec.Cmd
	public, admin string
	out           *logBuffer
	done          chan error
}

func start(t testing.TB, env ...string) *serving {
	t.Helper()
	s := &serving{out: &logBuffer{}, done: make(chan error, 1)}
	s.cmd = app(t, "good", append([]string{"ASHLAR_ADDR=127.0.0.1:0", "ASHLAR_ADMIN_ADDR=127.0.0.1:0"}, env...))
	pipe, err := s.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	s.cmd.Stderr = os.Stderr
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := make(chan string, 100)
	go func() {
		d := json.NewDecoder(io.TeeReader(pipe, s.out))
		for {
			var line struct {
				Msg, Addr string
				Admin     string `json:"admin_addr"`
			}
			if err := d.Decode(&line); err != nil {
				break
			}
			if line.Msg == "serving" {
				lines <- line.Addr
				lines <- line.Admin
				break
			}
		}
		_, _ = io.Copy(s.out, pipe)
		s.done <- s.cmd.Wait()
	}()
	select {
	case addr := <-lines:
		s.public, s.admin = "http://"+addr, "http://"+<-lines
	case err := <-s.done:
		t.Fatalf("the app ended: %v\n%s", err, s.out)
	case <-time.After(lost):
		_ = s.cmd.Process.Kill()
		t.Fatal("the app did not start")
	}
	return s
}

func (s *serving) stop(t *testing.T) string {
	t.Helper()
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-s.done:
		if err != nil {
			t.Errorf("the app ended with %v", err)
		}
	case <-time.After(lost):
		_ = s.cmd.Process.Kill()
		t.Fatal("the app did not end")
	}
	return s.out.String()
}

func fetch(t *testing.T, url string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

func TestServe(t *testing.T) {
	t.Parallel()
	s := start(t)
	for url, want := range map[string]int{
		s.public + "/hello/you":          200,
		s.public + "/private/you":        401,
		s.public + "/hello/panic":        500,
		s.public + "/nowhere":            404,
		s.public + "/hello//you":         404,
		s.public + "/openapi.json":       200,
		s.public + "/openapi.yaml":       200,
		s.public + "/docs":               200,
		s.public + "/problems/not-found": 200,
		s.public + "/problems/no-such":   404,
		s.public + "/metrics":            404,
		s.public + "/readyz":             404,
		s.admin + "/livez":               200,
		s.admin + "/readyz":              200,
		s.admin + "/startupz":            200,
		s.admin + "/metrics":             200,
		s.admin + "//metrics":            404,
		s.admin + "/debug/pprof/":        404,
	} {
		if got, body := fetch(t, url); got != want {
			t.Errorf("%s answers %d, want %d: %.200s", url, got, want, body)
		}
	}
	out := s.stop(t)
	for _, want := range []string{"a note of the demo", "API docs", `"task":"greetings.fail"`, `"code":"internal"`, `"msg":"stopped"`} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is missing in:\n%s", want, out)
		}
	}
}

func TestProductionShowsNothingUnasked(t *testing.T) {
	t.Parallel()
	key, _ := output(t, app(t, "good", nil, "keys", "new"))
	s := start(t, "ASHLAR_ENV=production", "ASHLAR_SIGNING_KEYS="+strings.TrimSpace(key))
	for _, path := range []string{"/openapi.json", "/docs"} {
		if got, _ := fetch(t, s.public+path); got != 404 {
			t.Errorf("%s answers %d", path, got)
		}
	}
	out := s.stop(t)
	if strings.Contains(out, "demo") {
		t.Errorf("demo data in production:\n%s", out)
	}
	for line := range strings.Lines(out) {
		if !json.Valid([]byte(line)) {
			t.Errorf("a line of the log is not JSON: %s", line)
		}
	}
}
