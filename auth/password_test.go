package auth_test

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/ashlar-go/ashlar/auth"
	"github.com/ashlar-go/ashlar/fault"
)

// passwords are cheap; a test that shares them with others needs a queue.
func passwords(change ...func(*auth.PasswordConfig)) *auth.Passwords {
	c := auth.PasswordConfig{Concurrent: 2, Queue: 1000}
	for _, f := range change {
		f(&c)
	}
	return auth.CheapPasswords(c)
}

func hash(t testing.TB, p *auth.Passwords, password string) string {
	t.Helper()
	h, err := p.Hash(t.Context(), password)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestPasswordRoundTrip(t *testing.T) {
	t.Parallel()
	p := passwords()
	long := strings.Repeat("x1", 40)
	for _, password := range []string{"square-and-true", "pässwörter 🎉", long + "a", strings.Repeat("é", auth.MaxPassword-1) + "z"} {
		h := hash(t, p, password)
		if ok, rehash, err := p.Verify(t.Context(), h, password); !ok || rehash || err != nil {
			t.Errorf("its own password: %t, %t, %v", ok, rehash, err)
		}
		for _, wrong := range []string{"", password[:len(password)-1] + "?"} {
			if ok, rehash, err := p.Verify(t.Context(), h, wrong); ok || rehash || err != nil {
				t.Errorf("a wrong password: %t, %t, %v", ok, rehash, err)
			}
		}
		if again := hash(t, p, password); again == h {
			t.Error("equal passwords have equal hashes")
		}
		if !strings.HasPrefix(h, "$argon2id$v=19$m=64,t=1,p=1$") {
			t.Errorf("parameters are not in %s", h[:30])
		}
	}
	if ok, _, err := p.Verify(t.Context(), hash(t, p, long+"a"), long+"b"); ok || err != nil {
		t.Errorf("80 characters that differ in the last: %t, %v", ok, err)
	}
}

func TestPasswordOfOtherParametersIsHashedAnew(t *testing.T) {
	t.Parallel()
	old, now := passwords(), passwords(func(c *auth.PasswordConfig) { c.Passes = 2 })
	h := hash(t, old, "square-and-true")
	if ok, rehash, err := now.Verify(t.Context(), h, "square-and-true"); !ok || !rehash || err != nil {
		t.Errorf("the right password: %t, %t, %v", ok, rehash, err)
	}
	if ok, rehash, err := now.Verify(t.Context(), h, "square-and-false"); ok || rehash || err != nil {
		t.Errorf("a wrong password: %t, %t, %v", ok, rehash, err)
	}
}

func TestPasswordFromBcrypt(t *testing.T) {
	t.Parallel()
	p := passwords()
	const (
		h    = "$2a$12$3ejBPxJxWQrgurkVoNyF8uQspcG9Z5fdFru.BSu.9bIAA9b0ZYUDO"
		weak = "$2a$04$Oh8LMBLdVkqnrVwTXEgsEuF/vYi9Rn9ZXm7HzMJr27XMLSW7ISrj2"
	)
	if ok, rehash, err := p.Verify(t.Context(), h, "square-and-true"); !ok || !rehash || err != nil {
		t.Errorf("the right password: %t, %t, %v", ok, rehash, err)
	}
	if ok, rehash, err := p.Verify(t.Context(), h, "square-and-false"); ok || rehash || err != nil {
		t.Errorf("a wrong password: %t, %t, %v", ok, rehash, err)
	}
	if _, _, err := p.Verify(t.Context(), weak, "square-and-true"); err == nil {
		t.Error("bcrypt of the least cost is read")
	}
}

func TestAbsurdHashesAreRefusedWithoutWork(t *testing.T) {
	t.Parallel()
	p := passwords()
	const salt, digest = "c29tZXNhbHRzb21lc2FsdA", "RdescudvJCsgt3ub+b2gcQGDQBbiTvXgXQFmTBRSyDQ"
	for name, h := range map[string]string{
		"nothing":             "",
		"plain text":          "square-and-true",
		"another algorithm":   "$argon2i$v=19$m=8192,t=1,p=1$" + salt + "$" + digest,
		"another version":     "$argon2id$v=16$m=8192,t=1,p=1$" + salt + "$" + digest,
		"4 TiB of memory":     "$argon2id$v=19$m=4294967295,t=1,p=1$" + salt + "$" + digest,
		"no memory":           "$argon2id$v=19$m=0,t=1,p=1$" + salt + "$" + digest,
		"many passes":         "$argon2id$v=19$m=8192,t=1000000,p=1$" + salt + "$" + digest,
		"no pass":             "$argon2id$v=19$m=8192,t=0,p=1$" + salt + "$" + digest,
		"no lane":             "$argon2id$v=19$m=8192,t=1,p=0$" + salt + "$" + digest,
		"many lanes":          "$argon2id$v=19$m=8192,t=1,p=255$" + salt + "$" + digest,
		"an overflow":         "$argon2id$v=19$m=8192,t=1,p=257$" + salt + "$" + digest,
		"a sign":              "$argon2id$v=19$m=+8192,t=1,p=1$" + salt + "$" + digest,
		"another order":       "$argon2id$v=19$t=1,m=8192,p=1$" + salt + "$" + digest,
		"one parameter more":  "$argon2id$v=19$m=8192,t=1,p=1,x=1$" + salt + "$" + digest,
		"one part more":       "$argon2id$v=19$m=8192,t=1,p=1$" + salt + "$" + digest + "$",
		"no salt":             "$argon2id$v=19$m=8192,t=1,p=1$$" + digest,
		"no digest":           "$argon2id$v=19$m=8192,t=1,p=1$" + salt + "$",
		"a short digest":      "$argon2id$v=19$m=8192,t=1,p=1$" + salt + "$AAAA",
		"padding":             "$argon2id$v=19$m=8192,t=1,p=1$" + salt + "==$" + digest,
		"expensive bcrypt":    "$2a$31$Ro0CUfOqk6cXEKf3dyaM7OhSCvnwM9s4wIX9JeLapehKK5YdLxKcm",
		"broken bcrypt":       "$2a$12$short",
		"bcrypt of the least": "$2a$04$Ro0CUfOqk6cXEKf3dyaM7OhSCvnwM9s4wIX9JeLapehKK5YdLxKcm",
	} {
		if ok, rehash, err := p.Verify(t.Context(), h, "square-and-true"); ok || rehash || err == nil {
			t.Errorf("%s: %t, %t, %v", name, ok, rehash, err)
		} else if h != "" && strings.Contains(err.Error(), digest) {
			t.Errorf("%s: the error shows the hash: %v", name, err)
		}
	}
	if p.Hashes() != 0 {
		t.Errorf("%d hashes computed", p.Hashes())
	}
}

func TestAForeignHashIsRead(t *testing.T) {
	t.Parallel()
	// From the test vectors of the reference implementation.
	const h = "$argon2id$v=19$m=256,t=2,p=2$c29tZXNhbHQ$bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f/5U52iv1cDc"
	if ok, rehash, err := passwords().Verify(t.Context(), h, "password"); !ok || !rehash || err != nil {
		t.Errorf("%t, %t, %v", ok, rehash, err)
	}
}

func TestNewPasswordRules(t *testing.T) {
	t.Parallel()
	p := passwords()
	for password, code := range map[string]string{
		"":                                     "too_short",
		"short12":                              "too_short",
		"é🎉é🎉é🎉é":                              "too_short",
		strings.Repeat("xy", auth.MaxPassword): "too_long",
		"Password1":                            "too_common",
		"12345678":                             "too_common",
		"1234567890":                           "too_common",
		"87654321":                             "too_common",
		"abcdefghijk":                          "too_common",
		"zzzzzzzzzzzz":                         "too_common",
		"QWERTYUIOP":                           "too_common",
	} {
		_, err := p.Hash(t.Context(), password)
		v, ok := errors.AsType[fault.Violations](err)
		if !ok || v[0].Code != code || v[0].Pointer != "/password" {
			t.Errorf("%.20q: %v, want %s", password, err, code)
		}
		if password != "" && strings.Contains(err.Error(), password) {
			t.Errorf("the error shows %.20q", password)
		}
	}
	for _, password := range []string{"square-and-true", "8 é🎉é🎉é🎉", strings.Repeat("ab", auth.MaxPassword/2), "no rules here"} {
		if err := p.Check(password); err != nil {
			t.Errorf("%.20q: %v", password, err)
		}
	}
	if p.Hashes() != 0 {
		t.Errorf("%d hashes computed for passwords that were refused", p.Hashes())
	}
}

func TestBeyondTheQueueIsTurnedAwayAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const queue = 3
		p, release := auth.Occupied(t, queue)
		errs := make(chan error, queue)
		for range queue {
			go func() { errs <- p.VerifyNone(t.Context(), "square-and-true") }()
		}
		synctest.Wait() // all of them wait for the one slot
		if err := p.VerifyNone(t.Context(), "square-and-true"); !errors.Is(err, auth.ErrBusy) || p.Hashes() != 0 {
			t.Errorf("one more than the queue holds: %v after %d hashes", err, p.Hashes())
		}
		release()
		for range queue {
			if err := <-errs; err != nil {
				t.Errorf("one in the queue: %v", err)
			}
		}
		if err := p.VerifyNone(t.Context(), "square-and-true"); err != nil || p.Hashes() != queue+1 {
			t.Errorf("after the storm: %v after %d hashes", err, p.Hashes())
		}
	})
}

func TestWaitingEndsWithTheContext(t *testing.T) {
	t.Parallel()
	p := passwords()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := p.VerifyNone(ctx, "square-and-true"); !errors.Is(err, context.Canceled) || p.Hashes() != 0 {
		t.Errorf("%v after %d hashes", err, p.Hashes())
	}
	synctest.Test(t, func(t *testing.T) {
		p, release := auth.Occupied(t, 1)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- p.VerifyNone(ctx, "square-and-true") }()
		synctest.Wait() // for the one slot
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) || p.Hashes() != 0 {
			t.Errorf("%v after %d hashes", err, p.Hashes())
		}
		release()
	})
}

func TestNewPasswordsRefuses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]auth.PasswordConfig{
		"little memory": {Memory: 4096}, "much memory": {Memory: 1 << 20}, "many passes": {Passes: 17}, "many lanes": {Lanes: 9},
	} {
		if _, err := auth.NewPasswords(c); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
	if p, err := auth.NewPasswords(auth.PasswordConfig{Memory: 8 << 10, Queue: -1}); err != nil || p.VerifyNone(t.Context(), "x") != nil {
		t.Errorf("no queue: %v", err)
	}
}

func BenchmarkHash(b *testing.B) {
	p, err := auth.NewPasswords(auth.PasswordConfig{})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		hash(b, p, "square-and-true")
	}
	runtime.GC() // 19 MiB each: leave none to the next benchmark
}

// TestCommonPasswordsCanBeTaken where a contract asks for a length and no more.
func TestCommonPasswordsCanBeTaken(t *testing.T) {
	t.Parallel()
	taken := false
	p, err := auth.NewPasswords(auth.PasswordConfig{Common: func() bool { return taken }})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Check("password1"); !errors.Is(err, fault.ErrInvalid) {
		t.Errorf("not yet: %v", err)
	}
	taken = true
	if err := p.Check("password1"); err != nil {
		t.Error(err)
	}
	if err := p.Check("short"); !errors.Is(err, fault.ErrInvalid) {
		t.Errorf("too short: %v", err)
	}
}
