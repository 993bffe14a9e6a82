package webhook_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/internal/backing"
	"github.com/ashlar-go/ashlar/outbound/outboundtest"
	"github.com/ashlar-go/ashlar/webhook"
)

// The variable by which this test's binary is told that it is a sender, and of
// which database.
const childOf = "ASHLAR_TEST_WEBHOOK_SENDER"

// TestSenderOfTheKill is the process that is killed.
func TestSenderOfTheKill(t *testing.T) {
	t.Parallel()
	url := os.Getenv(childOf)
	if url == "" {
		return // it is run by TestAKilledSenderLosesNothing
	}
	d, err := openURL(context.Background(), url)
	if err != nil {
		t.Fatal(err)
	}
	cfg := webhook.Config{DB: d, Keys: [][]byte{testKey}}
	wired(&cfg)
	cfg.Timeout, cfg.Lease, cfg.Poll, cfg.PerEndpoint = time.Second, 1500*time.Millisecond, 10*time.Millisecond, 4
	h, err := webhook.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
}

// TestAKilledSenderLosesNothing kills sender after sender with SIGKILL in the
// middle of their attempts: before an answer, and after one that nobody wrote
// down. Each message arrives at least once, always under its id and with its
// bytes, and each key's in order.
func TestAKilledSenderLosesNothing(t *testing.T) {
	t.Parallel()
	for name, place := range map[string]func(t *testing.T) string{
		"sqlite":   func(t *testing.T) string { return "sqlite:" + filepath.Join(t.TempDir(), "test.db") },
		"postgres": func(t *testing.T) string { return backing.Postgres(t) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			killSenders(t, place(t))
		})
	}
}

func killSenders(t *testing.T, url string) {
	d, err := openURL(context.Background(), url)
	b := setup(t, opened(t, d, err), wired)
	const keys, perKey, kills = 5, 8, 4
	var mu sync.Mutex
	var child *exec.Cmd
	killed, answered := 0, 0
	first := map[string][]string{} // by key, as they came first
	bodies := map[string]string{}
	kill := func() {
		killed++
		if err := child.Process.Kill(); err != nil {
			t.Error(err)
		}
	}
	var shop *outboundtest.Upstream
	shop = outboundtest.New(t, func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		id := r.Header.Get(webhook.HeaderID)
		key, _, _ := strings.Cut(id, "-")
		calls := shop.Calls()
		i := slices.IndexFunc(calls, func(c outboundtest.Call) bool { return c.Header.Get(webhook.HeaderID) == id })
		if was, ok := bodies[id]; ok && was != calls[i].Body {
			t.Errorf("%s had another body", id)
		}
		bodies[id] = calls[i].Body
		if !slices.Contains(first[key], id) {
			first[key] = append(first[key], id)
		}
		if answered++; answered%7 != 0 || killed == kills {
			return
		}
		if killed%2 == 0 {
			kill() // before it is answered
			<-r.Context().Done()
			return
		}
		w.WriteHeader(http.StatusOK)
		_ = http.NewResponseController(w).Flush() // and right after it was
		kill()
	})
	b.at(shop.URL)
	want := map[string][]string{}
	for n := range perKey {
		for k := range keys {
			key := fmt.Sprint("k", k)
			id := fmt.Sprintf("%s-%d", key, n)
			want[key] = append(want[key], id)
			b.enqueue(message(id, key))
		}
	}
	delivered := func() bool { return b.count("deliveries WHERE state = 'delivered'") == keys*perKey }
	for round := 0; !delivered(); round++ {
		if round > kills {
			t.Fatal("senders end without being killed")
		}
		c := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestSenderOfTheKill$", "-test.count=1")
		c.Env = append(os.Environ(), childOf+"="+url)
		c.Stderr = os.Stderr
		mu.Lock()
		child = c
		err := c.Start()
		mu.Unlock()
		if err != nil {
			t.Fatal(err)
		}
		ended := make(chan struct{})
		go func() { _ = c.Wait(); close(ended) }()
		eventually(t, "the sender is killed or has done all", func() bool {
			select {
			case <-ended:
				return true
			default:
				return delivered()
			}
		})
		_ = c.Process.Kill()
		<-ended
	}
	mu.Lock()
	defer mu.Unlock()
	if killed != kills {
		t.Errorf("%d senders were killed", killed)
	}
	for key := range want {
		if !slices.Equal(first[key], want[key]) {
			t.Errorf("%s came as %v", key, first[key])
		}
	}
	for id, body := range bodies {
		if body != `{"id":"`+id+`"}` {
			t.Errorf("%s came as %s", id, body)
		}
	}
	if again := len(shop.Calls()) - keys*perKey; again < kills {
		t.Errorf("%d attempts were made again, fewer than senders killed", again)
	}
	if n := b.count("lanes"); n != 0 {
		t.Errorf("%d lanes are left", n)
	}
}
