package redis_test

import (
	"context"
	"errors"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/internal/backing"
	"github.com/ashlar-go/ashlar/limit"
	"github.com/ashlar-go/ashlar/redis"
)

// brisk is a time-out that a test can wait for. A busy machine does not always
// keep it: Redis may be away for a moment when nothing befell it.
const brisk = 300 * time.Millisecond

// traffic calls a limit from several sides until the test ends, and holds what
// is promised of every call: no error, and no wait beyond the time-out.
type traffic struct {
	client  *redis.Client
	store   *limit.Fallback
	calls   atomic.Int64
	slowest atomic.Int64
}

func drive(t *testing.T, client *redis.Client) *traffic {
	t.Helper()
	d := &traffic{client: client, store: limit.NewFallback(client.Limits(), limit.NewMemory(limit.MemoryConfig{}))}
	ctx, cancel := context.WithCancel(t.Context())
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for ctx.Err() == nil {
				began := time.Now()
				if _, err := d.store.Take(ctx, limit.Key{Limit: "traffic", Who: "all"}, limit.Per(1_000_000, time.Second), 1); err != nil && ctx.Err() == nil {
					t.Errorf("a call failed: %v", err)
				}
				if took := int64(time.Since(began)); took > d.slowest.Load() {
					d.slowest.Store(took)
				}
				d.calls.Add(1)
				time.Sleep(time.Millisecond)
			}
		})
	}
	t.Cleanup(func() {
		cancel()
		all.Wait()
		if got := time.Duration(d.slowest.Load()); got > brisk+30*time.Second {
			t.Errorf("a call took %v", got)
		}
	})
	return d
}

// flows waits until calls are decided by Redis, or locally.
func (d *traffic) flows(t *testing.T, locally bool) {
	t.Helper()
	what := "limits are common"
	if locally {
		what = "limits are local"
	}
	eventually(t, what, func() bool {
		calls, locals := d.calls.Load(), d.store.Locals()
		for end := time.Now().Add(time.Second); d.calls.Load()-calls <= 8 && time.Now().Before(end); {
			time.Sleep(time.Millisecond)
		}
		calls, locals = d.calls.Load()-calls, d.store.Locals()-locals
		if !locally {
			return calls > 8 && locals == 0 && d.client.Err() == nil
		}
		return calls > 8 && int64(locals)+8 >= calls && d.client.Err() != nil
	})
}

// Whatever befalls Redis, callers go on, and when it is over all is as before.
func TestRedisGoesAwayAndComesBack(t *testing.T) {
	t.Parallel()
	type world struct {
		server *backing.RedisProcess
		proxy  *proxy
	}
	for name, c := range map[string]struct {
		goes, comes func(world)
		reason      string // a part of it
		options     []string
	}{
		"it is killed": {
			goes:  func(w world) { w.server.Kill() },
			comes: func(w world) { w.server.Start() },
		},
		"it is stopped": {
			goes:   func(w world) { w.server.Stop() },
			comes:  func(w world) { w.server.Start() },
			reason: "deadline",
		},
		"its answers get lost": {
			goes:   func(w world) { w.proxy.deaf.Store(true) },
			comes:  func(w world) { w.proxy.deaf.Store(false) },
			reason: "deadline",
		},
		"its answers come late": {
			goes:   func(w world) { w.proxy.slow.Store(int64(2 * brisk)) },
			comes:  func(w world) { w.proxy.slow.Store(0) },
			reason: "deadline",
		},
		"connections are reset": {
			goes:  func(w world) { w.proxy.refuse.Store(true); w.proxy.cut() },
			comes: func(w world) { w.proxy.refuse.Store(false) },
		},
		"it becomes a copy that cannot be written": {
			goes: func(w world) {
				tell(t, w.server.Addr(), "REPLICAOF 127.0.0.1 1")
				tell(t, w.server.Addr(), "CONFIG SET replica-serve-stale-data yes")
			},
			comes:  func(w world) { tell(t, w.server.Addr(), "REPLICAOF NO ONE") },
			reason: "READONLY",
		},
		"its memory is full": {
			goes:   func(w world) { tell(t, w.server.Addr(), "CONFIG SET maxmemory 1") },
			comes:  func(w world) { tell(t, w.server.Addr(), "CONFIG SET maxmemory 0") },
			reason: "OOM",
		},
		"its password is changed": {
			goes:   func(w world) { tell(t, w.server.Addr(), "CONFIG SET requirepass other"); w.proxy.cut() },
			comes:  func(w world) { tell(t, w.server.Addr(), "AUTH other\r\nCONFIG SET requirepass \"\"") },
			reason: "NOAUTH",
		},
		"it is busy with a script": {
			goes: func(w world) {
				tell(t, w.server.Addr(), "CONFIG SET busy-reply-threshold 1")
				send(t, w.server.Addr(), "EVAL \"while true do end\" 0\r\n")
			},
			comes: func(w world) { tell(t, w.server.Addr(), "SCRIPT KILL") },
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := backing.RedisServer(t, c.options...)
			w := world{server, newProxy(t, server.Addr())}
			var mu sync.Mutex
			var reasons []error
			client := up(t, redis.Config{URL: w.proxy.url(), Timeout: brisk, DialTimeout: time.Second, Changed: func(reason error) {
				mu.Lock()
				defer mu.Unlock()
				reasons = append(reasons, reason)
			}})
			heard := listen(t, client, "news")
			if got := next(t, heard); got != nil {
				t.Errorf("before anything was sent: %q", got)
			}
			d := drive(t, client)
			d.flows(t, false)

			c.goes(w)
			d.flows(t, true)
			eventually(t, "the reason is "+c.reason, func() bool {
				err := client.Err()
				return errors.Is(err, redis.ErrAway) && strings.Contains(err.Error(), c.reason)
			})
			if err := client.Publish(t.Context(), "news", []byte("lost")); !errors.Is(err, redis.ErrAway) {
				t.Errorf("publishing: %v", err)
			}

			c.comes(w)
			d.flows(t, false)
			if got := next(t, heard); got != nil {
				t.Errorf("a receiver is not told that it missed something, but %q", got)
			}
			eventually(t, "messages arrive again", func() bool {
				if err := client.Publish(t.Context(), "news", []byte("again")); err != nil {
					return false
				}
				select {
				case got := <-heard:
					return string(got) == "again"
				case <-time.After(100 * time.Millisecond):
					return false
				}
			})
			eventually(t, "all that was told of is counted", func() bool {
				mu.Lock()
				defer mu.Unlock()
				s := client.Stats()
				return len(reasons) >= 2 && len(reasons)%2 == 0 && s.Up && int(s.Episodes) == len(reasons)/2
			})
			mu.Lock()
			defer mu.Unlock()
			for i, reason := range reasons {
				if (reason == nil) != (i%2 == 1) {
					t.Errorf("told of %v", reasons)
				}
			}
			if s := client.Stats(); s.Away <= 0 || s.Failures == 0 {
				t.Errorf("got %+v", s)
			}
		})
	}
}

// One connection that breaks in the middle of an answer, or of which another
// protocol comes, costs the calls under way their common answer and no more.
func TestRedisAnswersNonsense(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(*proxy){
		"half an answer":   func(p *proxy) { p.cutting.Store(true) },
		"another protocol": func(p *proxy) { p.garble.Store(true) },
		"nothing any more": func(p *proxy) { p.cut() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newProxy(t, backing.RedisServer(t).Addr())
			client := up(t, redis.Config{URL: p.url(), Timeout: patient})
			d := drive(t, client)
			d.flows(t, false)
			made := p.made.Load()
			spoil(p)
			eventually(t, "there is another connection", func() bool { return p.made.Load() > made })
			d.flows(t, false)
			if got := client.Stats().Episodes; got > 1 { // none if nobody waited for an answer just then
				t.Errorf("%d episodes", got)
			}
		})
	}
}

// A server that lost its scripts gets them again.
func TestRedisForgetsScripts(t *testing.T) {
	t.Parallel()
	server := backing.RedisServer(t)
	client := up(t, redis.Config{URL: server.URL(), Timeout: patient})
	limits := client.Limits()
	for range 3 {
		tell(t, server.Addr(), "SCRIPT FLUSH")
		if got, err := limits.Take(t.Context(), limit.Key{Limit: "l"}, limit.Per(9, time.Hour), 1); err != nil || !got.OK {
			t.Errorf("got %+v, %v", got, err)
		}
	}
	if got := client.Stats(); got.Episodes != 0 || got.Failures != 0 {
		t.Errorf("got %+v", got)
	}
}

// What somebody else put under a key spoils that key, and nothing else.
func TestRedisHasSomethingElseUnderAKey(t *testing.T) {
	t.Parallel()
	server := backing.RedisServer(t)
	client := up(t, redis.Config{URL: server.URL(), Timeout: patient})
	limits, rate := client.Limits(), limit.Per(9, time.Hour)
	if _, err := limits.Take(t.Context(), limit.Key{Limit: "spoiled"}, rate, 1); err != nil {
		t.Fatal(err)
	}
	words := strings.Fields(tell(t, server.Addr(), "KEYS ashlar:limit:spoiled:*"))
	key := words[slices.IndexFunc(words, func(w string) bool { return strings.HasPrefix(w, "ashlar:") })]
	for _, value := range []string{"SET %s abc", "LPUSH %s 1", "SET %s \"\""} {
		tell(t, server.Addr(), "DEL "+key)
		tell(t, server.Addr(), strings.Replace(value, "%s", key, 1))
		for range 10 {
			if got, err := limits.Take(t.Context(), limit.Key{Limit: "spoiled"}, rate, 1); err == nil || errors.Is(err, redis.ErrAway) {
				t.Errorf("%s: got %+v, %v", value, got, err)
			}
		}
	}
	if got, err := limits.Take(t.Context(), limit.Key{Limit: "other"}, rate, 1); err != nil || !got.OK {
		t.Errorf("another key: %+v, %v", got, err)
	}
	if got := client.Stats(); got.Episodes != 0 {
		t.Errorf("got %+v", got)
	}
}

// A caller that leaves is answered at once, and says nothing about Redis.
func TestCallersLeave(t *testing.T) {
	t.Parallel()
	p := newProxy(t, backing.RedisServer(t).Addr())
	client := up(t, redis.Config{URL: p.url(), Timeout: patient})
	p.slow.Store(int64(5 * time.Second))
	limits := client.Limits()
	began := time.Now()
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
			defer cancel()
			if _, err := limits.Take(ctx, limit.Key{Limit: "l"}, limit.Per(9, time.Hour), 1); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("got %v", err)
			}
		})
	}
	all.Wait()
	if took := time.Since(began); took > 4900*time.Millisecond {
		t.Errorf("they waited %v", took)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := limits.Take(ended, limit.Key{Limit: "l"}, limit.Per(9, time.Hour), 1); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if s := client.Stats(); s.Episodes != 0 || s.Failures != 0 {
		t.Errorf("got %+v", s)
	}
}

// However many call while a server says nothing, none waits longer than the
// time-out, although the connection's queue is full by then.
func TestManyCallASilentServer(t *testing.T) {
	t.Parallel()
	server := backing.RedisServer(t)
	client := up(t, redis.Config{URL: server.URL(), Timeout: brisk})
	limits := client.Limits()
	server.Stop()
	defer server.Start()
	var all sync.WaitGroup
	var slowest, away atomic.Int64
	for range 5000 {
		all.Go(func() {
			began := time.Now()
			if _, err := limits.Take(t.Context(), limit.Key{Limit: "l"}, limit.Per(9, time.Hour), 1); err == nil {
				t.Error("a server that is stopped decides")
			}
			if took := int64(time.Since(began)); took > slowest.Load() {
				slowest.Store(took)
			}
		})
	}
	all.Wait()
	if got := time.Duration(slowest.Load()); got > brisk+30*time.Second {
		t.Errorf("a call took %v", got)
	}
	if _, err := limits.Take(t.Context(), limit.Key{Limit: "l"}, limit.Per(9, time.Hour), 1); !errors.Is(err, redis.ErrAway) {
		t.Errorf("got %v, %d", err, away.Load())
	}
}

func TestCloseEndsEverything(t *testing.T) {
	t.Parallel()
	url, prefix := backing.Redis(t)
	client, err := redis.Open(t.Context(), redis.Config{URL: url, Prefix: prefix, Timeout: patient})
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- client.Subscribe(context.Background(), "a", func([]byte) {}) }()
	client.Close()
	if err := <-ended; !errors.Is(err, redis.ErrClosed) {
		t.Errorf("the subscription ended with %v", err)
	}
	if err := client.Publish(t.Context(), "a", nil); !errors.Is(err, redis.ErrClosed) {
		t.Errorf("got %v", err)
	}
	if err := client.Err(); !errors.Is(err, redis.ErrClosed) {
		t.Errorf("got %v", err)
	}
	client.Close() // as often as one likes
}

// send sends a command to a server without waiting for its answer.
func send(t *testing.T, addr, command string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if _, err := conn.Write([]byte(command)); err != nil {
		t.Fatal(err)
	}
	return conn
}

// tell sends commands to a server, one a line, and returns all answers as they
// come.
func tell(t *testing.T, addr, command string) string {
	t.Helper()
	conn := send(t, addr, command+"\r\n")
	conn.(*net.TCPConn).CloseWrite()
	conn.SetDeadline(time.Now().Add(2 * time.Minute))
	var all []byte
	buf := make([]byte, 4096)
	for {
		n, err := conn.Read(buf)
		all = append(all, buf[:n]...)
		if err != nil {
			break
		}
	}
	if text := string(all); strings.HasPrefix(text, "-") && !slices.Contains([]string{"-BUSY"}, strings.Fields(text)[0]) {
		t.Fatalf("%s: %s", command, text)
	}
	return string(all)
}
