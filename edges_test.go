package ashlar_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/ashlar-go/ashlar"
	"github.com/ashlar-go/ashlar/config"
	"github.com/ashlar-go/ashlar/serve"
)

const shopPage = "https://shop.test"

// TestAttackOrigins holds P12.9 through the app: preflights are answered
// before sign-in, for what is declared, and to the listed page only.
func TestAttackOrigins(t *testing.T) {
	t.Parallel()
	x := besiege(t, serve.Config{}, "ASHLAR_CORS_ORIGINS", shopPage)
	preflight := func(path, method, origin string) answer {
		return x.one(t, "OPTIONS", path, "", "Authorization:", "Origin: "+origin, "Access-Control-Request-Method: "+method)
	}
	for path, methods := range map[string]string{"/orders": "GET, HEAD, POST", "/v1/auth/login": "POST"} {
		for range 30 { // more than anybody may sign in
			got := preflight(path, "POST", shopPage)
			if got.status != 204 || got.header.Get("Access-Control-Allow-Methods") != methods || got.header.Get("Access-Control-Allow-Origin") != shopPage {
				t.Fatalf("%s answers %d %v", path, got.status, got.header)
			}
		}
		for _, origin := range []string{"https://evil.test", "null", "*"} {
			if got := preflight(path, "POST", origin); got.status != 405 || got.header.Get("Access-Control-Allow-Origin") != "" {
				t.Errorf("%s answers %s with %d %v", path, origin, got.status, got.header)
			}
		}
	}
	for status, got := range map[int]answer{
		200: x.one(t, "GET", "/orders?limit=1", "", "Origin: "+shopPage),
		401: x.one(t, "GET", "/orders?limit=1", "", "Authorization:", "Origin: "+shopPage),
		404: x.one(t, "GET", "/nowhere", "", "Origin: "+shopPage),
		422: x.one(t, "POST", "/orders", "{}", "Origin: "+shopPage),
	} {
		if got.status != status || got.header.Get("Access-Control-Allow-Origin") != shopPage || got.header.Get("Access-Control-Allow-Credentials") != "" {
			t.Errorf("%d answers %d %v", status, got.status, got.header)
		}
		if !strings.Contains(strings.Join(got.header["Vary"], ","), "Origin") {
			t.Errorf("%d varies by %q", status, got.header["Vary"])
		}
	}
}

func TestOriginSettings(t *testing.T) {
	t.Parallel()
	for name, env := range map[string]map[string]string{
		"ASHLAR_CORS_ORIGINS: the origin \"*\"":                     {"ASHLAR_CORS_ORIGINS": "*"},
		"is sent by browsers as \"https://a.test\"":                 {"ASHLAR_CORS_ORIGINS": "https://a.test/"},
		"ASHLAR_CORS_CREDENTIALS: is for the pages":                 {"ASHLAR_CORS_CREDENTIALS": "true"},
		"ASHLAR_CORS_ORIGINS: the origin \"null\" has not the form": {"ASHLAR_CORS_ORIGINS": "https://b.test,null"},
	} {
		if _, err := config.Load[ashlar.Config](config.Map(env)); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%v: %v, want %q", env, err, name)
		}
	}
}

// TestAttackOverrides holds P10.6: what a request says about another method
// than its own is not heeded, so a gate in front that goes by the method is
// never wrong about what runs here.
func TestAttackOverrides(t *testing.T) {
	t.Parallel()
	x := besiege(t, serve.Config{})
	for name, c := range map[string]struct {
		method, path, body string
		header             []string
		want               int
	}{
		"header on a GET":          {"GET", "/orders?limit=1", "", []string{"X-HTTP-Method-Override: POST"}, 200},
		"its short form":           {"GET", "/orders?limit=1", "", []string{"X-HTTP-Method: DELETE", "X-Method-Override: DELETE"}, 200},
		"header on a POST":         {"POST", "/orders", goodOrder, []string{"X-HTTP-Method-Override: GET"}, 200},
		"to what is not there":     {"POST", "/locked", "", []string{"X-HTTP-Method-Override: GET"}, 405},
		"parameter on a GET":       {"GET", "/orders?limit=1&_method=POST", "", nil, 422},
		"parameter on a POST":      {"POST", "/orders?_method=DELETE", goodOrder, nil, 422},
		"member of a body":         {"POST", "/orders", strings.Replace(goodOrder, "{", `{"_method":"DELETE",`, 1), nil, 422},
		"on a method that is none": {"DELETE", "/orders", "", []string{"X-HTTP-Method-Override: GET"}, 405},
		"trace":                    {"TRACE", "/orders/ann", "", nil, 405},
		"track":                    {"TRACK", "/orders/ann", "", nil, 405},
		"debug":                    {"DEBUG", "/orders/ann", "", nil, 405},
		"trace asked for":          {"GET", "/orders/ann", "", []string{"X-HTTP-Method-Override: TRACE"}, 200},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := x.one(t, c.method, c.path, c.body, c.header...)
			if got.status != c.want {
				t.Fatalf("answers %d, want %d: %s", got.status, c.want, got.body)
			}
			if strings.HasPrefix(got.body, "{") == strings.Contains(got.body, "Override") {
				t.Errorf("the request comes back: %s", got.body)
			}
		})
	}
}

// TestAttackHosts holds P12.8 over HTTP/1.
func TestAttackHosts(t *testing.T) {
	t.Parallel()
	x := besiege(t, serve.Config{}, "ASHLAR_HOSTS", "api.test,x")
	for name, c := range map[string]struct {
		raw  string
		want []int
	}{
		"ours":                        {"GET /orders/ann HTTP/1.1\r\nHost: api.test\r\n", []int{200}},
		"with a port":                 {"GET /orders/ann HTTP/1.1\r\nHost: API.test:8080\r\n", []int{200}},
		"with its last dot":           {"GET /orders/ann HTTP/1.1\r\nHost: api.test.\r\n", []int{200}},
		"another":                     {"GET /orders/ann HTTP/1.1\r\nHost: evil.test\r\n", []int{421}},
		"ours in front":               {"GET /orders/ann HTTP/1.1\r\nHost: api.test.evil.test\r\n", []int{421}},
		"ours below":                  {"GET /orders/ann HTTP/1.1\r\nHost: a.api.test\r\n", []int{421}},
		"ours as its user":            {"GET /orders/ann HTTP/1.1\r\nHost: api.test@evil.test\r\n", []int{400}},
		"ours as its port":            {"GET /orders/ann HTTP/1.1\r\nHost: evil.test:api.test\r\n", []int{421}},
		"an address":                  {"GET /orders/ann HTTP/1.1\r\nHost: 127.0.0.1\r\n", []int{421}},
		"empty":                       {"GET /orders/ann HTTP/1.1\r\nHost:\r\n", []int{421}},
		"an absolute form of ours":    {"GET http://api.test/orders/ann HTTP/1.1\r\nHost: api.test\r\n", []int{200}},
		"an absolute form of another": {"GET http://evil.test/orders/ann HTTP/1.1\r\nHost: api.test\r\n", []int{421}},
		"hidden behind a Host":        {"GET http://api.test/orders/ann HTTP/1.1\r\nHost: evil.test\r\n", []int{200}}, // RFC 9112, section 3.2.2: the form wins, and no link is made of either
		"forwarded":                   {"GET /orders/ann HTTP/1.1\r\nHost: evil.test\r\nX-Forwarded-Host: api.test\r\n", []int{421}},
		"forwarded to another":        {"GET /orders/ann HTTP/1.1\r\nHost: api.test\r\nX-Forwarded-Host: evil.test\r\n", []int{200}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			all := x.send(t, c.raw+"Connection: close\r\n\r\n")
			if !slices.Equal(statuses(all), c.want) {
				t.Fatalf("answers %d, want %d", statuses(all), c.want)
			}
			if all[0].status != 200 {
				checkProblem(t, all[0])
			}
			if strings.Contains(all[0].body+all[0].header.Get("Location"), "evil") {
				t.Errorf("the foreign host comes back: %s", all[0].body)
			}
		})
	}
}
