package ashlar_test

import (
	"bufio"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/ashlartest"
	"github.com/ashlar-go/ashlar/auth"
)

// stream opens a stream and reads up to its first item.
func stream(t *testing.T, url, token string) (*http.Response, *bufio.Reader) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = res.Body.Close() })
	in := bufio.NewReader(res.Body)
	if res.StatusCode != http.StatusOK {
		body, _ := io.ReadAll(in)
		t.Fatalf("%s answered %d: %s", url, res.StatusCode, body)
	}
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		if line == `data: {"text":"Hello ann"}`+"\n" {
			return res, in
		}
	}
}

// P15.2: within five seconds of a revocation, of whatever kind, nothing is open
// that it concerns.
func TestStreamsAreRevoked(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		revoke func(t *testing.T, app *ashlartest.App, g auth.Grant) error
		code   string
	}{
		"the session ends": {func(t *testing.T, app *ashlartest.App, g auth.Grant) error {
			nothing(app.Bearer(g.AccessToken), "auth.logout", auth.LogoutInput{RefreshToken: g.RefreshToken}).OK()
			return nil
		}, "token_invalid"},
		"the account is disabled": {func(t *testing.T, app *ashlartest.App, _ auth.Grant) error {
			return app.Accounts.Disable(t.Context(), annOf(t, app).ID)
		}, "token_invalid"},
		"the role may no more": {func(t *testing.T, app *ashlartest.App, _ auth.Grant) error {
			return app.Accounts.SetRole(t.Context(), annOf(t, app).ID, "visitor")
		}, "permission_denied"},
		"the role may more": {func(t *testing.T, app *ashlartest.App, _ auth.Grant) error {
			return app.Accounts.SetRole(t.Context(), annOf(t, app).ID, "admin")
		}, "permissions_changed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			app := office(t)
			app.Grant("visitor")
			app.GrantAll("admin")
			server := httptest.NewServer(app.Handler())
			defer server.Close()
			g, _ := ann(t, app)
			_, in := stream(t, server.URL+"/watch/ann", g.AccessToken)
			began := time.Now()
			if err := c.revoke(t, app, g); err != nil {
				t.Fatal(err)
			}
			rest, err := io.ReadAll(in)
			if err != nil || !strings.Contains(string(rest), "event: end\ndata: {") || !strings.Contains(string(rest), `"code":"`+c.code+`"`) {
				t.Errorf("the stream ended with %q, %v", rest, err)
			}
			if took := time.Since(began); took > 5*time.Second {
				t.Errorf("it ended after %s", took)
			}
		})
	}
}

func TestStreamOfAnAPIKeyIsRevoked(t *testing.T) {
	t.Parallel()
	app := office(t)
	server := httptest.NewServer(app.Handler())
	defer server.Close()
	key := newAPIKey(signed(t, app), "api_keys.create", newKey{Name: "k", Permissions: []string{"greetings:read"}}).OK()
	_, in := stream(t, server.URL+"/watch/ann", key.Key)
	endAPIKey(signed(t, app), "api_keys.end", auth.ByAPIKey{ID: key.ID}).OK()
	if rest, err := io.ReadAll(in); err != nil || !strings.Contains(string(rest), "event: end\ndata: {") {
		t.Errorf("the stream ended with %q, %v", rest, err)
	}
}

// A stream is seen in metrics and log: when it opens, as any request, and when
// it ends.
func TestStreamsAreObserved(t *testing.T) {
	t.Parallel()
	app := office(t)
	server := httptest.NewServer(app.Handler())
	defer server.Close()
	res, _ := stream(t, server.URL+"/see/ann", "")
	shows(t, app, map[string]float64{
		`ashlar_streams_open{op="greetings.see"}`:          1,
		`ashlar_stream_messages_total{op="greetings.see"}`: 1,
	})
	awaits(t, app, `http_server_requests_total{method="GET",op="greetings.see",status="2xx"}`, func(v float64) bool { return v == 1 })
	shows(t, app, map[string]float64{`http_server_active_requests{op="greetings.see"}`: 0})
	_ = res.Body.Close()
	awaits(t, app, `ashlar_streams_ended_total{op="greetings.see",reason="left"}`, func(v float64) bool { return v == 1 })
	awaits(t, app, `ashlar_streams_open{op="greetings.see"}`, func(v float64) bool { return v == 0 })
	for _, want := range []string{`"msg":"request","op":"greetings.see"`, `"msg":"stream ended"`, `"reason":"left"`, `"messages":1`} {
		if !strings.Contains(app.Log(), want) {
			t.Errorf("the log has no %s:\n%s", want, app.Log())
		}
	}
}

// P14.3: at a shutdown streams are ended in good order, and do not keep it.
func TestStreamsAreDrained(t *testing.T) {
	t.Parallel()
	s := start(t)
	_, in := stream(t, s.public+"/see/ann", "")
	began := time.Now()
	out := s.stop(t)
	if rest, err := io.ReadAll(in); err != nil || !strings.HasSuffix(string(rest), "event: end\ndata: {\"code\":\"draining\"}\n\n") {
		t.Errorf("the stream ended with %q, %v", rest, err)
	}
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("the shutdown took %s", took)
	}
	if !strings.Contains(out, `"reason":"draining"`) || !strings.Contains(out, `"msg":"drained"`) {
		t.Errorf("the log says:\n%s", out)
	}
}
