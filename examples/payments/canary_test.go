package main

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base32"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/access"
	"github.com/ashlar-go/ashlar/ashlartest"
	"github.com/ashlar-go/ashlar/auth"
	"github.com/ashlar-go/ashlar/db"
	"github.com/ashlar-go/ashlar/examples/payments/internal/merchant"
	"github.com/ashlar-go/ashlar/op"
	"github.com/ashlar-go/ashlar/rule"
)

// canary begins every secret that the test below plants.
const canary = "canary7f3a"

// TestCanaries plants secrets wherever an operation takes one, as its
// declaration tells, and as credentials of every kind; it lets the calls
// succeed, be refused, fail and panic; and it looks for the secrets in all that
// was answered, logged and stored (P6.3, P12.16, P13.8, P11.13). A new
// operation is covered as soon as it is mounted; one with a secret member must
// say in [sound] how it succeeds.
func TestCanaries(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "app.db")
	s, traces := openTraced(t, "DATABASE_URL", "sqlite:"+file, "ASHLAR_DATA_DIR", dir,
		"ASHLAR_LIMIT_ADDRESS", "off", "ASHLAR_LIMIT_SIGN_IN", "off", "ASHLAR_LIMIT_PRINCIPAL", "off")
	x := &aviary{service: s}
	t.Cleanup(func() {
		if t.Failed() && testing.Verbose() {
			t.Log(s.Log())
		}
	})

	issued := x.succeed(t)
	for _, o := range s.Operations() {
		spec := o.Spec()
		x.asNobody(spec)
		x.refused(spec)
		x.panicking(t.Context(), spec)
	}
	for _, table := range []string{"ashlar_security_events", "ashlar_idempotency", "ashlar_sessions"} {
		if n, err := db.One[int](t.Context(), s.DB, "SELECT COUNT(*) FROM "+table); err != nil || n == 0 {
			t.Errorf("%s is empty, so nothing is shown: %v", table, err)
		}
	}
	searched := map[string][]byte{}
	x.read(t, searched, dir)
	// Without a database every operation that needs one fails.
	if err := s.DB.Close(); err != nil {
		t.Fatal(err)
	}
	failed := 0
	for _, o := range s.Operations() {
		failed += x.failing(o.Spec())
	}
	if failed < len(s.Operations())/2 {
		t.Errorf("%d operations of %d fail without a database", failed, len(s.Operations()))
	}
	for _, line := range []string{`"panic"`, `"operation failed"`} {
		if !strings.Contains(s.Log(), line) {
			t.Errorf("the log has no %s, so nothing is shown", line)
		}
	}
	searched["traces"] = traces.closed(t, s)
	searched["log"], searched["answers"] = []byte(s.Log()), x.answers.Bytes()
	for where, content := range searched {
		if len(content) == 0 {
			t.Errorf("%s is empty: nothing was looked at", where)
		}
		if at := bytes.Index(bytes.ToLower(content), []byte(canary)); at >= 0 {
			t.Errorf("%s holds a secret: …%q…", where, content[max(0, at-120):min(len(content), at+60)])
		}
		for what, token := range issued {
			if where != "answers" && bytes.Contains(content, []byte(token)) {
				t.Errorf("%s holds the %s that was given out", where, what)
			}
		}
	}
}

// aviary is the app, and all that it has answered.
type aviary struct {
	service

	answers bytes.Buffer
	planted int
}

// next returns a secret that was never used before, good as any text.
func (x *aviary) next() string {
	x.planted++
	return fmt.Sprintf("%s-%06d", canary, x.planted)
}

func (x *aviary) keep(w *httptest.ResponseRecorder) *httptest.ResponseRecorder {
	x.answers.Write(w.Body.Bytes())
	for name, values := range w.Header() {
		x.answers.WriteString(name + ": " + strings.Join(values, " ") + "\n")
	}
	return w
}

// succeed lets every operation that takes a secret succeed with one, and
// returns the secrets that were given out.
func (x *aviary) succeed(t *testing.T) map[string]string {
	t.Helper()
	password, changed := x.next()+"-password", x.next()+"-password"
	account, err := x.Accounts.Create(t.Context(), auth.NewAccount{
		Email: "robin@birds.test", Password: password, Role: merchant.RoleMerchant, Tenant: demoShop,
	})
	if err != nil {
		t.Fatal(err)
	}
	issued := map[string]string{}
	me := x.AsRole(account.ID, demoShop, merchant.RoleMerchant)
	do := func(client *ashlartest.Client, name, body string) {
		t.Helper()
		spec := x.specOf(t, name)
		w := client.Do(spec.Method, spec.Path, body)
		if w.Code != spec.Status {
			t.Fatalf("%s answers %d, so nothing is shown: %s", name, w.Code, w.Body)
		}
		var out map[string]any
		_ = json.Unmarshal(w.Body.Bytes(), &out)
		for _, member := range []string{"access_token", "refresh_token", "key", "secret", "recovery_codes"} {
			token, ok := out[member].(string)
			if list, is := out[member].([]any); is && len(list) > 0 {
				token, ok = list[0].(string)
			}
			if ok {
				issued[name+" "+member] = token
				w.Body = bytes.NewBuffer(bytes.ReplaceAll(w.Body.Bytes(), []byte(token), nil)) // its declared place
			}
		}
		x.keep(w)
	}
	sound := map[string]func(){
		"auth.login": func() {
			do(x.Anonymous(), "auth.login", `{"email":"robin@birds.test","password":"`+password+`"}`)
		},
		"auth.refresh": func() {
			do(x.Anonymous(), "auth.refresh", `{"refresh_token":"`+issued["auth.login refresh_token"]+`","retry_key":"`+x.next()+`"}`)
		},
		"auth.logout": func() {
			in := `{"refresh_token":"` + issued["auth.refresh refresh_token"] + `"}`
			do(x.Bearer(issued["auth.refresh access_token"]), "auth.logout", in)
		},
		"auth.password":   func() { do(me, "auth.password", `{"current":"`+password+`","new":"`+changed+`"}`) },
		"auth.totp.enrol": func() { do(me, "auth.totp.enrol", `{"password":"`+changed+`"}`) },
		"auth.totp.confirm": func() {
			do(me, "auth.totp.confirm", `{"code":"`+codeOf(t, issued["auth.totp.enrol secret"])+`"}`)
		},
		"auth.totp.remove": func() { do(me, "auth.totp.remove", `{"password":"`+changed+`"}`) },
		"users.create": func() {
			do(x.admin.Key("u"), "users.create", `{"email":"wren@birds.test","password":"`+x.next()+`","role":"auditor"}`)
		},
		// Numbers of cards have a test of their own, TestCardNumbersLeaveNoTrace.
		"payments.authorize": func() {
			do(x.shop.Key("p"), "payments.authorize", `{"amount":100,"currency":"EUR","reference":"r","card":{"number":"4242424242424242","exp_month":12,"exp_year":2040,"cvc":"123"}}`)
		},
		"api_keys.create": func() {
			do(me.Key("k"), "api_keys.create", `{"name":"till","permissions":["payments:read"]}`)
		},
	}
	order := []string{"auth.login", "auth.refresh", "auth.logout", "auth.password", "auth.totp.enrol", "auth.totp.confirm", "auth.totp.remove", "users.create", "payments.authorize", "api_keys.create"}
	for _, name := range order {
		sound[name]()
	}
	for _, o := range x.Operations() {
		if spec := o.Spec(); len(secretsOf(spec.In, nil, nil)) > 0 && sound[spec.Name] == nil {
			t.Errorf("%s takes a secret: say in this test how it succeeds", spec.Name)
		}
	}
	if len(issued) < 7 {
		t.Errorf("only %v was given out", slices.Collect(maps.Keys(issued)))
	}
	return issued
}

// codeOf is what an authenticator shows now (RFC 6238).
func codeOf(t *testing.T, secret string) string {
	t.Helper()
	key, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(secret)
	if err != nil {
		t.Fatal(err)
	}
	mac := hmac.New(sha1.New, key)
	mac.Write(binary.BigEndian.AppendUint64(nil, uint64(time.Now().Unix()/30)))
	sum := mac.Sum(nil)
	at := sum[len(sum)-1] & 15
	return fmt.Sprintf("%06d", binary.BigEndian.Uint32(sum[at:])&0x7fffffff%1_000_000)
}

func (x *aviary) specOf(t *testing.T, name string) *op.Spec {
	t.Helper()
	for _, o := range x.Operations() {
		if o.Spec().Name == name {
			return o.Spec()
		}
	}
	t.Fatalf("there is no operation %s any more", name)
	return nil
}

// secretsOf lists where a type has secrets, as the names on the way there; "*"
// stands for any item of a list or map.
func secretsOf(t *rule.Type, at []string, above []*rule.Type) (found [][]string) {
	if t == nil || slices.Contains(above, t) {
		return nil
	}
	above = append(slices.Clip(above), t)
	if t.Secret {
		found = append(found, at)
	}
	if t.Object != nil {
		for _, f := range t.Object.Fields {
			found = append(found, secretsOf(f.Type, append(slices.Clip(at), f.Name), above)...)
		}
	}
	return append(found, secretsOf(t.Elem, append(slices.Clip(at), "*"), above)...)
}

// holding returns a document with the value at the place.
func holding(at []string, value any) any {
	if len(at) == 0 {
		return value
	}
	if at[0] == "*" {
		return []any{holding(at[1:], value)}
	}
	return map[string]any{at[0]: holding(at[1:], value)}
}

func pathOf(spec *op.Spec) string {
	path := spec.Path
	for _, name := range spec.PathFields {
		path = strings.Replace(path, "{"+name+"}", "unknown", 1)
	}
	return path
}

// asNobody plants secrets as credentials that are none.
func (x *aviary) asNobody(spec *op.Spec) {
	path := pathOf(spec)
	for _, credential := range []string{"Bearer %s", "Bearer ak_%s", "Bearer eyJhbGciOiJub25lIn0.%s.x", "Basic %s", "%s", "Bearer %s, Bearer b"} {
		x.keep(x.Anonymous().With("Authorization", fmt.Sprintf(credential, x.next())).Do(spec.Method, path, ""))
	}
	for _, header := range []string{"X-Api-Key", "Proxy-Authorization", "X-Csrf-Token"} {
		x.keep(x.Anonymous().With(header, x.next()).Do(spec.Method, path, ""))
	}
	for _, cookie := range []string{auth.CookieName, "session", "__Host-x"} {
		x.keep(x.Anonymous().With("Cookie", cookie+"="+x.next()).Do(spec.Method, path, ""))
	}
	for _, query := range []string{"access_token", "token", "api_key", "password"} {
		x.keep(x.Anonymous().Do(spec.Method, path+"?"+query+"="+x.next(), ""))
		x.keep(x.admin.Do(spec.Method, path+"?"+query+"="+x.next(), ""))
	}
}

// bodies are inputs with secrets in each place that takes one, good and bad.
func (x *aviary) bodies(spec *op.Spec) (list []string) {
	all := []any{map[string]any{"no_such_member": x.next()}, x.next(), []any{x.next()}}
	places := secretsOf(spec.In, nil, nil)
	for _, at := range places {
		all = append(all,
			holding(at, x.next()),
			holding(at, strings.Repeat(x.next(), 500)), // too long
			holding(at, []any{x.next()}),               // of another type
			holding(at, map[string]any{x.next(): x.next()}),
			holding(at, x.next()+"\u202e\x00"),
		)
	}
	for _, document := range all {
		text, err := json.Marshal(document)
		if err != nil {
			continue
		}
		list = append(list, string(text), string(text[:len(text)-1])) // whole, and cut short
	}
	return list
}

// refused sends what must be refused, as somebody who may call.
func (x *aviary) refused(spec *op.Spec) {
	for i, body := range x.bodies(spec) {
		x.keep(x.admin.Key(fmt.Sprint("refused-", i)).Do(spec.Method, pathOf(spec), body))
		x.keep(x.admin.Key(fmt.Sprint("refused-", i)).With("Content-Encoding", "gzip").Do(spec.Method, pathOf(spec), body))
	}
}

// panicking lets the request panic when its body ends, and then the answer
// when its head is written.
func (x *aviary) panicking(ctx context.Context, spec *op.Spec) {
	who := x.Policy.Principal("usr_admin", "", merchant.RoleAdmin)
	send := func(w http.ResponseWriter, body io.Reader) {
		r := httptest.NewRequestWithContext(access.With(ctx, who), spec.Method, pathOf(spec)+"?token="+x.next(), body)
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Authorization", "Bearer "+x.next())
		r.AddCookie(&http.Cookie{Name: auth.CookieName, Value: x.next()})
		x.Handler().ServeHTTP(w, r)
	}
	for _, body := range x.bodies(spec) {
		broken := httptest.NewRecorder()
		send(broken, io.MultiReader(strings.NewReader(body), bomb{}))
		x.keep(broken)
		late := &fuse{ResponseRecorder: httptest.NewRecorder()}
		send(late, strings.NewReader(body))
		x.keep(late.ResponseRecorder)
	}
}

// failing calls without a database, and counts an operation that fails.
func (x *aviary) failing(spec *op.Spec) (failed int) {
	for i, body := range append(x.bodies(spec), "") {
		w := x.keep(x.admin.Key(fmt.Sprint("failing-", i)).With("Authorization", "Bearer "+x.next()).Do(spec.Method, pathOf(spec), body))
		if w.Code >= 500 {
			failed = 1
		}
	}
	return failed
}

// bomb goes off when a body is read to its end.
type bomb struct{}

func (bomb) Read([]byte) (int, error) { panic(errors.New("the reader broke")) }

// fuse goes off when an answer begins, the first time.
type fuse struct {
	*httptest.ResponseRecorder

	burnt bool
}

func (f *fuse) WriteHeader(status int) {
	if !f.burnt {
		f.burnt = true
		panic(errors.New("the writer broke"))
	}
	f.ResponseRecorder.WriteHeader(status)
}

// read adds the files of the database, as they are now.
func (x *aviary) read(t *testing.T, into map[string][]byte, dir string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "app.db*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no database in %s: %v", dir, err)
	}
	for _, file := range files {
		if strings.HasSuffix(file, "-shm") {
			continue // an index of the log, without content
		}
		if into[filepath.Base(file)], err = os.ReadFile(file); err != nil {
			t.Fatal(err)
		}
	}
}
