package redis_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"github.com/ashlar-go/ashlar/internal/backing"
	"github.com/ashlar-go/ashlar/limit"
	"github.com/ashlar-go/ashlar/redis"
)

const password = "open-sesame/#1"

// What waiting does not cure is an error, which shows nothing of the URL.
func TestOpenRefusesMistakes(t *testing.T) {
	t.Parallel()
	for url, want := range map[string]string{
		"":                                          "must begin with",
		"127.0.0.1:6379":                            "is no URL",
		"http://127.0.0.1":                          "must begin with",
		"redis://":                                  "names a node",
		"redis://:6379":                             "names a node",
		"redis://127.0.0.1:port":                    "is no URL",
		"redis://127.0.0.1:99999":                   "names a node",
		"redis://127.0.0.1/x":                       "number of a database",
		"redis://127.0.0.1/-1":                      "number of a database",
		"redis://127.0.0.1/1/2":                     "number of a database",
		"redis://127.0.0.1?addr=":                   "names a node",
		"redis://127.0.0.1?addr=a/b":                "names a node",
		"redis://127.0.0.1?%zz=1":                   "parameters that cannot be read",
		"redis://127.0.0.1/0#open-sesame":           "parameters that cannot be read",
		"redis://127.0.0.1?skip_verify=open-sesame": `has the parameter "skip_verify"`,
		"redis://127.0.0.1?db=1":                    `has the parameter "db"`,
		"redis://127.0.0.1/1?addr=localhost":        "a cluster has none but 0",
		"redis://127.0.0.1?timeout=5":               "no duration",
		"redis://127.0.0.1?timeout=-5s":             "no duration",
		"unix://":                                   "names no socket",
		"unix://run/redis.sock":                     "names no socket",
		"unix:///run/redis.sock?addr=localhost":     `has the parameter "addr"`,
		"redis://user:open-sesame/#1@127.0.0.1":     "is no URL",
		"redis://user:open-sesame@10.0.0.1":         "unencrypted",
		"redis://user:open-sesame@redis":            "unencrypted",
		"redis://localhost?addr=10.0.0.1":           "unencrypted",
		"redis://localhost.example.com":             "unencrypted",
		"redis://127.0.0.1.example.com":             "unencrypted",
	} {
		client, err := redis.Open(t.Context(), redis.Config{URL: url})
		if err == nil {
			client.Close()
		}
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "sesame") {
			t.Errorf("%s: got %v, want …%s…", url, err, want)
		}
	}
}

// P12.11: other machines are spoken to with TLS, unless somebody says that
// they need not be.
func TestOpenGoesInPlainTextWhereItMay(t *testing.T) {
	t.Parallel()
	for _, c := range []redis.Config{
		{URL: "redis://127.0.0.1:1"},
		{URL: "redis://localhost:1"},
		{URL: "redis://[::1]:1"},
		{URL: "redis://127.8.8.8:1"},
		{URL: "unix:///nowhere/redis.sock"},
		{URL: "redis://10.255.255.1:1", Plaintext: true, DialTimeout: time.Millisecond},
		{URL: "rediss://10.255.255.1:1", DialTimeout: time.Millisecond},
	} {
		if err := open(t, c).Err(); !errors.Is(err, redis.ErrAway) {
			t.Errorf("%s: got %v", c.URL, err)
		}
	}
}

// A server that is not there, or says nothing, is no reason not to start, and
// costs a start no more than it was told.
func TestOpenStartsWithoutAServer(t *testing.T) {
	t.Parallel()
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { silent.Close() })
	for name, url := range map[string]string{
		"nobody listens":               "redis://127.0.0.1:1",
		"nobody answers":               "redis://" + silent.Addr().String(),
		"nobody shakes hands":          "rediss://" + silent.Addr().String(),
		"no node of a cluster answers": "redis://127.0.0.1:1?addr=" + silent.Addr().String(),
		"no sentinel answers":          "redis://127.0.0.1:1?master_set=main&addr=" + silent.Addr().String(),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			began := time.Now()
			reasons := make(chan error, 100)
			client := open(t, redis.Config{URL: url, DialTimeout: 200 * time.Millisecond, Changed: func(err error) { reasons <- err }})
			if took := time.Since(began); took > 30*time.Second {
				t.Errorf("opening took %v", took)
			}
			if err := client.Err(); !errors.Is(err, redis.ErrAway) {
				t.Errorf("it is said to be there: %v", err)
			}
			if err := <-reasons; err == nil {
				t.Error("it was said to be back")
			}
			limits := client.Limits()
			began = time.Now()
			for range 1000 {
				if _, err := limits.Take(t.Context(), limit.Key{}, limit.Per(1, time.Hour), 1); !errors.Is(err, redis.ErrAway) {
					t.Fatalf("got %v", err)
				}
			}
			if took := time.Since(began); took > 30*time.Second {
				t.Errorf("a thousand callers were told so in %v", took)
			}
			if s := client.Stats(); s.Up || s.Refused != 1000 || s.Commands != 0 || s.Episodes != 1 || s.Away <= 0 {
				t.Errorf("got %+v", s)
			}
		})
	}
}

func TestOpenEndsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	url, prefix := backing.Redis(t)
	client, err := redis.Open(ctx, redis.Config{URL: url, Prefix: prefix})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	eventually(t, "it comes up although the context that opened it ended", func() bool { return client.Err() == nil })
}

// Passwords.
func TestOpenSignsIn(t *testing.T) {
	t.Parallel()
	server := backing.RedisServer(t, "--requirepass", password,
		"--user", "app", "on", ">"+password, "~*", "&*", "+@all",
		"--user", "guest", "on", ">"+password, "~*", "&*", "+@all", "-set")
	at := func(user string) string {
		return "redis://" + user + "@" + server.Addr()
	}
	for name, user := range map[string]string{
		"by password": ":open-sesame%2F%231",
		"by name":     "app:open-sesame%2F%231",
	} {
		client := open(t, redis.Config{URL: at(user)})
		eventually(t, "it is there "+name, func() bool { return client.Err() == nil })
	}
	for name, user := range map[string]string{
		"no password":      "",
		"a wrong password": ":open-sesam",
		"a wrong name":     "nobody:open-sesame%2F%231",
	} {
		client, err := redis.Open(t.Context(), redis.Config{URL: at(user)})
		if err == nil {
			client.Close()
			t.Errorf("%s: it opens", name)
			continue
		}
		if !strings.Contains(err.Error(), "refuses user or password") || strings.Contains(err.Error(), "sesam") {
			t.Errorf("%s: got %v", name, err)
		}
	}
	guest := open(t, redis.Config{URL: at("guest:open-sesame%2F%231")})
	eventually(t, "who may not write is told so", func() bool {
		err := guest.Err()
		return err != nil && strings.Contains(err.Error(), "NOPERM")
	})
}

// A server of before the command HELLO repeats its arguments, the password
// among them, when it does not know it.
func TestOpenHidesThePasswordThatAServerRepeats(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				in := bufio.NewReader(conn)
				for {
					var n int
					if _, err := fmt.Fscanf(in, "*%d\r\n", &n); err != nil {
						return
					}
					words := make([]string, n)
					for i := range words {
						in.ReadString('\n')
						words[i], _ = in.ReadString('\n')
						words[i] = strings.TrimSpace(words[i])
					}
					fmt.Fprintf(conn, "-ERR not understood, with args beginning with: %s\r\n", strings.Join(words, " "))
				}
			}()
		}
	}()
	client := open(t, redis.Config{URL: "redis://:open-sesame@" + l.Addr().String(), DialTimeout: 500 * time.Millisecond})
	eventually(t, "it is told why", func() bool {
		err := client.Err()
		if err == nil || strings.Contains(err.Error(), "sesame") {
			t.Fatalf("got %v", err)
		}
		return strings.Contains(err.Error(), "repeat the password")
	})
}

// Servers that lack what newer ones have: HELLO, CLIENT TRACKING, CLIENT.
func TestOpenTakesOldServers(t *testing.T) {
	t.Parallel()
	mini := miniredis.RunT(t)
	for name, url := range map[string]string{
		"miniredis":                      "redis://" + mini.Addr(),
		"without HELLO":                  backing.RedisServer(t, "--rename-command", "HELLO", "").URL(),
		"without HELLO, with a password": strings.Replace(backing.RedisServer(t, "--rename-command", "HELLO", "", "--requirepass", "open-sesame").URL(), "redis://", "redis://:open-sesame@", 1),
		"without CLIENT":                 backing.RedisServer(t, "--rename-command", "CLIENT", "").URL(),
		"without CLUSTER":                backing.RedisServer(t, "--rename-command", "CLUSTER", "").URL(),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			works(t, up(t, redis.Config{URL: url}))
		})
	}
}

// works proves that limits count and messages arrive.
func works(t *testing.T, client *redis.Client) {
	t.Helper()
	limits, rate := client.Limits(), limit.Per(2, time.Hour)
	for left := 1; left >= -1; left-- {
		got, err := limits.Take(t.Context(), limit.Key{Limit: "works", Who: "ann"}, rate, 1)
		if err != nil || got.OK != (left >= 0) {
			t.Errorf("with %d left: %+v, %v", left, got, err)
		}
	}
	heard := listen(t, client, "works")
	if got := next(t, heard); got != nil {
		t.Errorf("before anything was sent: %q", got)
	}
	if err := client.Publish(t.Context(), "works", []byte("hello")); err != nil {
		t.Error(err)
	}
	if got := next(t, heard); string(got) != "hello" {
		t.Errorf("got %q", got)
	}
}

// listen returns what is published on a channel from the time that the test
// received nil.
func listen(t *testing.T, client *redis.Client, channel string) <-chan []byte {
	t.Helper()
	heard := make(chan []byte, 1000)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := client.Subscribe(ctx, channel, func(m []byte) { heard <- m }); err != nil && !errors.Is(err, redis.ErrClosed) {
			t.Error(err)
		}
	}()
	t.Cleanup(func() { cancel(); <-done })
	return heard
}

// eventually waits for what must come true.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("did not happen: ", what)
		}
	}
}

// next returns the next message.
func next(t *testing.T, heard <-chan []byte) []byte {
	t.Helper()
	select {
	case m := <-heard:
		return m
	case <-time.After(2 * time.Minute):
		t.Fatal("no message comes")
		return nil
	}
}
