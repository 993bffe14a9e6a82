package ashlar_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar"
	"github.com/ashlar-go/ashlar/access"
	"github.com/ashlar-go/ashlar/ashlartest"
	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/op"
)

// FuzzRequest sends requests of any headers, query and body through a whole
// app, whose clients stand behind a trusted proxy. Whatever comes, the app
// answers, never with a defect of its own (P6.23, P12.15), says failures as
// problems, and repeats nothing of a credential.
func FuzzRequest(f *testing.F) {
	app := ashlartest.Open(f, "ASHLAR_TRUSTED_PROXIES", "192.0.2.0/24")
	app.Grant("clerk", "parcels:write")
	app.Mount(ashlar.SignIn(app.App))
	echo := func(_ context.Context, in parcel) (parcel, error) { in.PIN = ""; return in, nil }
	app.Mount(ashlar.Module{Name: "parcels", Operations: []op.Operation{
		op.Command("parcels.open", "POST /parcels", echo, op.Public()),
		op.Command("parcels.send", "POST /parcels/send", echo, op.Allow("parcels:write"), op.Idempotent(time.Hour)),
		op.Query("parcels.list", "GET /parcels", func(context.Context, orderList) (op.Page[parcel], error) {
			return op.Page[parcel]{}, nil
		}, op.Public(), op.Cache(time.Minute)),
	}})
	handler := app.Handler()
	clerk := app.Policy.Principal("usr_1", "", "clerk")

	for _, name := range fuzzedHeaders {
		for _, value := range []string{"", "x", "Bearer x.y.z", "Bearer ak_0", "__Host-session=x", "application/json; charset=utf-8", "multipart/form-data; boundary=b", "gzip", `W/"1", "2"`, "*", "q=0;*/*;q", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "10.0.0.1, ::1, [::1]:5", "\x00", "null"} {
			f.Add(name, value, "limit=1&cursor=x", goodOrder)
		}
	}
	f.Fuzz(func(t *testing.T, name, value, query, body string) {
		for _, target := range []string{"POST /parcels", "POST /parcels/send", "GET /parcels", "POST /v1/auth/login"} {
			method, path, _ := strings.Cut(target, " ")
			for _, who := range []access.Principal{{}, clerk} {
				r := httptest.NewRequestWithContext(access.With(t.Context(), who), method, path, strings.NewReader(body))
				r.URL.RawQuery = query
				r.Header.Set("Content-Type", "application/json")
				if strings.EqualFold(name, "Host") {
					r.Host = value
				} else {
					r.Header[http.CanonicalHeaderKey(name)] = []string{value}
				}
				w := httptest.NewRecorder()
				handler.ServeHTTP(w, r)
				held(t, target+" as "+who.Role, w)
			}
		}
	})
}

var fuzzedHeaders = []string{
	"Accept", "Accept-Encoding", "Authorization", "Content-Encoding", "Content-Type", "Cookie", "Forwarded", "Host",
	"Idempotency-Key", "If-Match", "If-None-Match", "Origin", "Sec-Fetch-Site", "Traceparent", "Tracestate",
	"X-Forwarded-For", "X-Forwarded-Proto", "X-Http-Method-Override", "X-Request-Id",
}

// held checks what every answer owes.
func held(t *testing.T, what string, w *httptest.ResponseRecorder) {
	t.Helper()
	if w.Code == http.StatusInternalServerError || w.Code < 200 {
		t.Errorf("%s: %d %s", what, w.Code, w.Body)
	}
	if strings.Contains(w.Body.String(), canary) {
		t.Errorf("%s: the secret stands in the answer: %s", what, w.Body)
	}
	if w.Code < http.StatusBadRequest {
		return
	}
	var problem struct{ Code string }
	if err := json.Unmarshal(w.Body.Bytes(), &problem); err != nil || problem.Code == "" || w.Header().Get("Content-Type") != fault.MediaType {
		t.Errorf("%s: %d is no problem: %s", what, w.Code, w.Body)
	}
}
