package graphql_test

import (
	"bytes"
	"context"
	"encoding/json"
	"os/exec"
	"path/filepath"
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
