package graphql_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/ashlar-go/ashlar/graphql"
	"github.com/ashlar-go/ashlar/live"
)

// TestSubscriptionsAreUnderstoodByOtherClients has the clients that wrote the
// two protocols down, graphql-sse and graphql-ws, speak to a server. They run in
// Node.js, as the audits do.
func TestSubscriptionsAreUnderstoodByOtherClients(t *testing.T) {
	t.Parallel()
	node, folder := auditor(t)
	s := openNews(t, live.Config{}, graphql.Config{})
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, node, filepath.Join(folder, "peers.mjs"), s.URL+"/graphql")
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("the clients did not end: %v\n%s\n%s", err, out, complaints.String())
	}
	const (
		item1 = `{"newsFollow":{"n":1,"author":{"name":"Ada, for ann"}}}`
		item2 = `{"newsFollow":{"n":2,"author":{"name":"Ada, for ann"}}}`
	)
	want := map[string]string{"socket stranger": `[4403]`, "socket pong": `["heard"]`}
	for _, way := range []string{"events ", "socket "} {
		want[way+"follow"] = `[` + item1 + `,` + item2 + `]`
		want[way+"resumed"] = `[{"newsFollow":{"n":3}}]`
		want[way+"query"] = `[{"newsGet":{"n":7}}]`
		want[way+"mutation"] = `[{"newsWrite":{"n":5}}]`
		want[way+"failing"] = `[{"newsFail":{"n":1}},"news_not_found"]`
		want[way+"refused"] = `["news_not_found"]`
		want[way+"invalid"] = `["graphql_invalid"]`
	}
	for line := range bytes.Lines(out) {
		var tried struct {
			ID  string          `json:"id"`
			Got json.RawMessage `json:"got"`
		}
		if err := json.Unmarshal(line, &tried); err != nil {
			t.Fatalf("the clients say %q: %v", line, err)
		}
		if got := string(tried.Got); got != want[tried.ID] {
			t.Errorf("%s got %s, want %s", tried.ID, got, want[tried.ID])
		}
		delete(want, tried.ID)
	}
	if len(want) > 0 {
		t.Errorf("not tried: %v", want)
	}
}

// TestOtherClientsComeBack: at a shutdown the clients of both protocols connect
// again by themselves, to an instance that goes on after what they saw last.
func TestOtherClientsComeBack(t *testing.T) {
	t.Parallel()
	node, folder := auditor(t)
	first, second := openNews(t, live.Config{}, graphql.Config{}), openNews(t, live.Config{}, graphql.Config{})
	var here atomic.Pointer[news]
	here.Store(first)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { here.Load().Config.Handler.ServeHTTP(w, r) }))
	t.Cleanup(server.Close)

	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, node, filepath.Join(folder, "return.mjs"), server.URL+"/graphql")
	var told, complaints bytes.Buffer
	cmd.Stdout, cmd.Stderr = &told, &complaints
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		<-first.begun
	}
	first.streams.Drain(ctx)
	here.Store(second)
	if err := cmd.Wait(); err != nil {
		t.Fatalf("the clients did not end: %v\n%s\n%s", err, &told, &complaints)
	}
	for _, want := range []string{`{"id":"events","got":[1,2,3,4]}`, `{"id":"socket","got":[1,2,3,4]}`} {
		if !strings.Contains(told.String(), want) {
			t.Errorf("want %s:\n%s\n%s", want, &told, &complaints)
		}
	}
	if !strings.Contains(complaints.String(), `"code":"draining"`) {
		t.Errorf("no client was told why: %s", &complaints)
	}
}
