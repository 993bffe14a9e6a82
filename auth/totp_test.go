package auth_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/ashlar-go/ashlar/access"
	"github.com/ashlar-go/ashlar/auth"
	"github.com/ashlar-go/ashlar/auth/authtest"
	"github.com/ashlar-go/ashlar/fault"
)

func TestMemoryFactors(t *testing.T) {
	t.Parallel()
	authtest.RunFactors(t, func(*testing.T) auth.FactorStore { return auth.NewMemoryFactors() })
}

// The vectors of RFC 6238, appendix B, for SHA-1, and of RFC 4226, appendix D,
// cut to the digits that authenticators show.
func TestTOTPVectors(t *testing.T) {
	t.Parallel()
	secret := []byte("12345678901234567890")
	for at, want := range map[int64]uint32{
		59: 94287082, 1111111109: 7081804, 1111111111: 14050471, 1234567890: 89005924, 2000000000: 69279037, 20000000000: 65353130,
	} {
		if got := auth.HOTP(secret, at/30) % 100_000_000; got != want {
			t.Errorf("at %d: %08d, want %08d", at, got, want)
		}
		if got := auth.TOTP(secret, time.Unix(at, 0)); got != fmt.Sprintf("%06d", want%1_000_000) {
			t.Errorf("at %d: %s", at, got)
		}
	}
	for counter, want := range []uint32{755224, 287082, 359152, 969429, 338314, 254676, 287922, 162583, 399871, 520489} {
		if got := auth.HOTP(secret, int64(counter)) % 1_000_000; got != want {
			t.Errorf("counter %d: %d, want %d", counter, got, want)
		}
	}
}

// guard is a service of second factors and all that it works with.
type guard struct {
	*auth.Factors
	store *auth.MemoryFactors
	clock *clock
	keys  [][]byte
}

var errPassword = fault.At("/password", "wrong", "is not the password of this account")

func newGuard(t testing.TB, keys ...[]byte) *guard {
	t.Helper()
	g := &guard{store: auth.NewMemoryFactors(), clock: newClock(), keys: keys}
	if len(keys) == 0 {
		g.keys = [][]byte{[]byte("0123456789abcdef0123456789abcdef")}
	}
	g.Factors = g.with(t, g.keys...)
	return g
}

func (g *guard) with(t testing.TB, keys ...[]byte) *auth.Factors {
	t.Helper()
	f, err := auth.NewFactors(auth.FactorsConfig{
		Store: g.store, Keys: keys, Issuer: "Pay & Co", Now: g.clock.now,
		Prove: func(ctx context.Context, password string) (auth.Account, error) {
			if password != "right" {
				return auth.Account{}, errPassword
			}
			return auth.Account{ID: access.From(ctx).ID, Email: "ann+pay@b.test"}, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func someone(t testing.TB, id string) context.Context {
	return access.With(t.Context(), access.Principal{ID: id, Credential: "ses_1"})
}

// enrol gives an account a factor, and returns its secret and recovery codes.
func (g *guard) enrol(t testing.TB, account string) (secret []byte, codes []string) {
	t.Helper()
	ctx := someone(t, account)
	enrolment, err := g.Enrol(ctx, auth.EnrolTOTP{Password: "right"})
	if err != nil {
		t.Fatal(err)
	}
	secret = auth.TOTPSecret(enrolment.Secret)
	recovery, err := g.Confirm(ctx, auth.ConfirmTOTP{Code: auth.TOTP(secret, g.clock.now())})
	if err != nil {
		t.Fatal(err)
	}
	g.clock.move(30 * time.Second) // the code of then is used
	return secret, recovery.RecoveryCodes
}

func (g *guard) code(secret []byte, steps int) string {
	return auth.TOTP(secret, g.clock.now().Add(time.Duration(steps)*30*time.Second))
}

// wrong is a code that is not good now.
func (g *guard) wrong(secret []byte, n int) string {
	good := []string{g.code(secret, -1), g.code(secret, 0), g.code(secret, 1)}
	for {
		if code := fmt.Sprintf("%06d", n%1_000_000); !slices.Contains(good, code) {
			return code
		}
		n += 7
	}
}

func TestEnrol(t *testing.T) {
	t.Parallel()
	g := newGuard(t)
	ctx := someone(t, "usr_1")
	if _, err := g.Enrol(ctx, auth.EnrolTOTP{Password: "wrong"}); fmt.Sprint(err) != fmt.Sprint(errPassword) {
		t.Errorf("with a wrong password: %v", err)
	}
	if required, err := g.Required(ctx, "usr_1"); required || err != nil {
		t.Errorf("before enrolment: %v, %v", required, err)
	}
	first, err := g.Enrol(ctx, auth.EnrolTOTP{Password: "right"})
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(first.URI)
	if err != nil || u.Scheme != "otpauth" || u.Host != "totp" || u.Path != "/Pay & Co:ann+pay@b.test" || strings.Contains(u.RawQuery, "+") ||
		u.Query().Get("secret") != first.Secret || u.Query().Get("issuer") != "Pay & Co" || u.Query().Get("period") != "30" || len(auth.TOTPSecret(first.Secret)) != 20 {
		t.Errorf("enrolled %+v (%v)", first, err)
	}
	// Until it is confirmed it does not count, and another may take its place.
	if required, err := g.Required(ctx, "usr_1"); required || err != nil {
		t.Errorf("before it is confirmed: %v, %v", required, err)
	}
	if err := g.Check(ctx, "usr_1", g.code(auth.TOTPSecret(first.Secret), 0)); !errors.Is(err, auth.ErrSecondFactor) {
		t.Errorf("before it is confirmed: %v", err)
	}
	second, err := g.Enrol(ctx, auth.EnrolTOTP{Password: "right"})
	if err != nil || second.Secret == first.Secret {
		t.Fatal(second, err)
	}
	if _, err := g.Confirm(ctx, auth.ConfirmTOTP{Code: g.code(auth.TOTPSecret(first.Secret), 0)}); !errors.Is(err, fault.ErrInvalid) {
		t.Errorf("with the code of another secret: %v", err)
	}
	if _, err := g.Confirm(ctx, auth.ConfirmTOTP{Code: "0000-0000-0000-0000"}); !errors.Is(err, fault.ErrInvalid) {
		t.Errorf("with a recovery code: %v", err)
	}
	got, err := g.Confirm(ctx, auth.ConfirmTOTP{Code: g.code(auth.TOTPSecret(second.Secret), 0)})
	if err != nil || len(got.RecoveryCodes) != 10 {
		t.Fatal(got, err)
	}
	form := regexp.MustCompile(`^([0-9a-hjkmnp-tv-z]{4}-){3}[0-9a-hjkmnp-tv-z]{4}$`)
	for i, code := range got.RecoveryCodes {
		if !form.MatchString(code) || slices.Contains(got.RecoveryCodes[:i], code) {
			t.Errorf("recovery codes are %v", got.RecoveryCodes)
		}
	}
	if required, err := g.Required(ctx, "usr_1"); !required || err != nil {
		t.Errorf("afterwards: %v, %v", required, err)
	}
	if _, err := g.Enrol(ctx, auth.EnrolTOTP{Password: "right"}); !errors.Is(err, auth.ErrFactor) {
		t.Errorf("a second one: %v", err)
	}
	if _, err := g.Confirm(ctx, auth.ConfirmTOTP{Code: g.code(auth.TOTPSecret(second.Secret), 1)}); !errors.Is(err, auth.ErrNoFactor) {
		t.Errorf("confirmed again: %v", err)
	}
	// P11.25: it is confirmed within ten minutes, or not at all.
	late, err := g.Enrol(someone(t, "usr_2"), auth.EnrolTOTP{Password: "right"})
	if err != nil {
		t.Fatal(err)
	}
	g.clock.move(10 * time.Minute)
	if _, err := g.Confirm(someone(t, "usr_2"), auth.ConfirmTOTP{Code: g.code(auth.TOTPSecret(late.Secret), 0)}); !errors.Is(err, auth.ErrNoFactor) {
		t.Errorf("confirmed too late: %v", err)
	}
	if _, err := g.Confirm(someone(t, "usr_3"), auth.ConfirmTOTP{Code: "123456"}); !errors.Is(err, auth.ErrNoFactor) {
		t.Errorf("confirmed nothing: %v", err)
	}
}

// An API key is not enough to change how its owner signs in.
func TestFactorsAreNotForAPIKeys(t *testing.T) {
	t.Parallel()
	g := newGuard(t)
	secret, _ := g.enrol(t, "usr_1")
	key := access.With(t.Context(), access.Principal{ID: "usr_1", Credential: "key_1"})
	_, confirm := g.Confirm(key, auth.ConfirmTOTP{Code: g.code(secret, 0)})
	for name, err := range map[string]error{
		"confirm": confirm,
		"remove":  g.Remove(key, auth.RemoveTOTP{Code: g.code(secret, 0)}),
	} {
		if f, ok := fault.Of(err); !ok || f.Status() != 403 {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A code is good in its own period and those beside it, and once.
func TestTOTPWindowAndReplay(t *testing.T) {
	t.Parallel()
	g := newGuard(t)
	secret, _ := g.enrol(t, "usr_1")
	g.clock.move(5 * time.Minute)
	check := func(code string) error { return g.Check(t.Context(), "usr_1", code) }
	for _, far := range []int{-3, -2, 2, 3} {
		if err := check(g.code(secret, far)); !errors.Is(err, auth.ErrSecondFactor) {
			t.Errorf("%d periods away: %v", far, err)
		}
	}
	before, same, after := g.code(secret, -1), g.code(secret, 0), g.code(secret, 1)
	for _, code := range []string{before, same[:3] + " " + same[3:], after} {
		if err := check(code); err != nil {
			t.Errorf("%s: %v", code, err)
		}
	}
	for _, code := range []string{before, same, after} {
		if err := check(code); !errors.Is(err, auth.ErrSecondFactor) {
			t.Errorf("%s again: %v", code, err)
		}
	}
	if err := g.Check(t.Context(), "usr_2", same); !errors.Is(err, auth.ErrSecondFactor) {
		t.Errorf("for who has no factor: %v", err)
	}
}

// Of many uses of one code at once exactly one is good, whatever codes come
// with it.
func TestOneCodeAtOnceIsGoodOnce(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		g := newGuard(t)
		secret, recovery := g.enrol(t, "usr_1")
		uses := map[string]int{}
		if n := rapid.IntRange(0, 4).Draw(r, "totp"); n > 0 {
			uses[g.code(secret, 0)] = n // with those below no more than are counted at once
		}
		for _, code := range rapid.SliceOfNDistinct(rapid.SampledFrom(recovery), 0, 2, rapid.ID).Draw(r, "recovery") {
			uses[code] = rapid.IntRange(1, 2).Draw(r, "uses")
		}
		var crowd sync.WaitGroup
		good := map[string]*atomic.Int32{}
		for code, n := range uses {
			count := &atomic.Int32{}
			good[code] = count
			for range n {
				crowd.Go(func() {
					switch err := g.Check(context.Background(), "usr_1", code); {
					case err == nil:
						count.Add(1)
					case !errors.Is(err, auth.ErrSecondFactor) && !errors.Is(err, auth.ErrFactorThrottled):
						t.Errorf("got %v", err)
					}
				})
			}
		}
		crowd.Wait()
		for code, count := range good {
			if n := count.Load(); n > 1 || n == 0 && len(code) > 6 {
				r.Errorf("a code was good %d times", n)
			}
		}
	})
}

func TestRecoveryCodes(t *testing.T) {
	t.Parallel()
	g := newGuard(t)
	_, codes := g.enrol(t, "usr_1")
	_, others := g.enrol(t, "usr_2")
	typed := strings.ToUpper(strings.ReplaceAll(codes[0], "-", " "))
	typed = strings.NewReplacer("0", "O", "1", "l").Replace(typed)
	if err := g.Check(t.Context(), "usr_1", typed); err != nil {
		t.Errorf("%q for %q: %v", typed, codes[0], err)
	}
	for name, code := range map[string]string{"used": codes[0], "another's": others[0], "none": "0000-0000-0000-0000", "half": codes[1][:9], "nothing": "", "long": strings.Repeat("0", 1<<16)} {
		if err := g.Check(t.Context(), "usr_1", code); !errors.Is(err, auth.ErrSecondFactor) {
			t.Errorf("a code that is %s: %v", name, err)
		}
	}
	for _, code := range codes[1:] {
		if err := g.Check(t.Context(), "usr_1", code); err != nil {
			t.Errorf("%q: %v", code, err)
		}
	}
}

// P11.25: five wrong codes, then a wait, which grows.
func TestWrongCodesWait(t *testing.T) {
	t.Parallel()
	g := newGuard(t)
	secret, recovery := g.enrol(t, "usr_1")
	n := 0
	five := func() {
		t.Helper()
		for range 5 {
			n++
			if err := g.Check(t.Context(), "usr_1", g.wrong(secret, n*31)); !errors.Is(err, auth.ErrSecondFactor) {
				t.Fatalf("wrong code %d: %v", n, err)
			}
		}
		if err := g.Check(t.Context(), "usr_1", g.code(secret, 0)); !errors.Is(err, auth.ErrFactorThrottled) {
			t.Fatalf("after %d wrong codes: %v", n, err)
		}
	}
	for _, wait := range []time.Duration{15 * time.Minute, 30 * time.Minute, time.Hour, 2 * time.Hour, 4 * time.Hour, 8 * time.Hour, 16 * time.Hour, 24 * time.Hour, 24 * time.Hour} {
		five()
		g.clock.move(wait - time.Second)
		if err := g.Check(t.Context(), "usr_1", g.code(secret, 0)); !errors.Is(err, auth.ErrFactorThrottled) {
			t.Fatalf("a second before %s are over: %v", wait, err)
		}
		g.clock.move(time.Second)
	}
	// Whoever guesses does not keep the owner out, and a right code forgives.
	five()
	if err := g.Check(t.Context(), "usr_1", recovery[0]); err != nil {
		t.Errorf("a recovery code meanwhile: %v", err)
	}
	if err := g.Check(t.Context(), "usr_1", g.code(secret, 0)); err != nil {
		t.Errorf("after a right code: %v", err)
	}
	five()
	if err := g.Remove(someone(t, "usr_1"), auth.RemoveTOTP{Code: g.code(secret, 0)}); !errors.Is(err, auth.ErrFactorThrottled) {
		t.Errorf("removing by a code meanwhile: %v", err)
	}
}

// A thousand codes at once are no more tries than one after another.
func TestWrongCodesAtOnceAreCounted(t *testing.T) {
	t.Parallel()
	g := newGuard(t)
	secret, _ := g.enrol(t, "usr_1")
	var looked atomic.Int32
	var crowd sync.WaitGroup
	for i := range 200 {
		crowd.Go(func() {
			if err := g.Check(context.Background(), "usr_1", g.wrong(secret, i)); errors.Is(err, auth.ErrSecondFactor) {
				looked.Add(1)
			}
		})
	}
	crowd.Wait()
	if n := looked.Load(); n == 0 || n > 5 {
		t.Errorf("%d codes were looked at", n)
	}
}

func TestRemove(t *testing.T) {
	t.Parallel()
	g := newGuard(t)
	ctx := someone(t, "usr_1")
	for name, in := range map[string]auth.RemoveTOTP{"by the password": {Password: "right"}, "by a code": {Code: "code"}, "by a recovery code": {Code: "recovery"}} {
		secret, recovery := g.enrol(t, "usr_1")
		for bad, in := range map[string]auth.RemoveTOTP{"nothing": {}, "a wrong password": {Password: "wrong"}, "a wrong code": {Code: g.wrong(secret, 5)}} {
			if err := g.Remove(ctx, in); !errors.Is(err, fault.ErrInvalid) {
				t.Errorf("removed by %s: %v", bad, err)
			}
		}
		switch in.Code {
		case "code":
			in.Code = g.code(secret, 0)
		case "recovery":
			in.Code = recovery[3]
		}
		if err := g.Remove(ctx, in); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if required, err := g.Required(ctx, "usr_1"); required || err != nil {
			t.Errorf("afterwards: %v, %v", required, err)
		}
		if err := g.Remove(ctx, auth.RemoveTOTP{Password: "right"}); !errors.Is(err, auth.ErrNoFactor) {
			t.Errorf("removed twice: %v", err)
		}
		if err := g.Check(ctx, "usr_1", recovery[4]); !errors.Is(err, auth.ErrSecondFactor) {
			t.Errorf("a recovery code of what is gone: %v", err)
		}
		g.clock.move(time.Minute)
	}
}

// P12.17: the secret is encrypted, for one account, and its key can change.
func TestSecretsAreSealed(t *testing.T) {
	t.Parallel()
	old, young := []byte("0123456789abcdef0123456789abcdef"), []byte("fedcba9876543210fedcba9876543210")
	g := newGuard(t, old)
	secret, _ := g.enrol(t, "usr_1")
	stored, err := g.store.Factor(t.Context(), "usr_1")
	if err != nil || bytes.Contains(stored.Sealed, secret) || len(stored.Sealed) < 20+12+16 {
		t.Fatalf("kept is %x, %v", stored.Sealed, err)
	}
	alone := g.with(t, young)
	if err := alone.Check(t.Context(), "usr_1", g.code(secret, 0)); err == nil || errors.Is(err, auth.ErrSecondFactor) {
		t.Errorf("without its key: %v", err)
	}
	both := g.with(t, young, old)
	if err := both.Check(t.Context(), "usr_1", g.code(secret, 0)); err != nil {
		t.Errorf("with a new key before the old: %v", err)
	}
	g.clock.move(30 * time.Second)
	if err := alone.Check(t.Context(), "usr_1", g.code(secret, 0)); err != nil {
		t.Errorf("with the new key, which it was encrypted with anew: %v", err)
	}
	// Copied to another account it is worth nothing, nor changed.
	g.clock.move(30 * time.Second)
	stored, err = g.store.Factor(t.Context(), "usr_1")
	if err != nil {
		t.Fatal(err)
	}
	g.enrol(t, "usr_2")
	theirs, err := g.store.Factor(t.Context(), "usr_2")
	if err != nil {
		t.Fatal(err)
	}
	changed := slices.Clone(stored.Sealed)
	changed[len(changed)-1] ^= 1
	for name, sealed := range map[string][]byte{"copied": stored.Sealed, "changed": changed, "cut": stored.Sealed[:3], "empty": nil} {
		if err := g.store.ResealFactor(t.Context(), "usr_2", theirs.Sealed, sealed); err != nil {
			t.Fatal(err)
		}
		theirs.Sealed = sealed
		if err := both.Check(t.Context(), "usr_2", g.code(secret, 0)); err == nil || errors.Is(err, auth.ErrSecondFactor) || strings.Contains(err.Error(), string(secret)) {
			t.Errorf("a secret that was %s: %v", name, err)
		}
	}
}

func TestFactorsNeedTheirSettings(t *testing.T) {
	t.Parallel()
	prove := func(context.Context, string) (auth.Account, error) { return auth.Account{}, nil }
	good := make([]byte, 32)
	for name, c := range map[string]auth.FactorsConfig{
		"no store":    {Keys: [][]byte{good}, Prove: prove, Issuer: "i"},
		"no proof":    {Store: auth.NewMemoryFactors(), Keys: [][]byte{good}, Issuer: "i"},
		"no issuer":   {Store: auth.NewMemoryFactors(), Keys: [][]byte{good}, Prove: prove},
		"no key":      {Store: auth.NewMemoryFactors(), Prove: prove, Issuer: "i"},
		"a short key": {Store: auth.NewMemoryFactors(), Keys: [][]byte{good, good[:16]}, Prove: prove, Issuer: "i"},
	} {
		if _, err := auth.NewFactors(c); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
}

func FuzzParseCode(f *testing.F) {
	for _, seed := range []string{"123456", "123 456", "abcd-efgh-jkmn-pqrs", "O0Il-0000-0000-0000", "١٢٣٤٥٦", "", "-", strings.Repeat(" ", 100)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		code, kind := auth.ParseCode(text)
		switch {
		case kind == 0 && code != "",
			kind == 1 && !regexp.MustCompile(`^[0-9]{6}$`).MatchString(code),
			kind == 2 && !regexp.MustCompile(`^[0-9a-hjkmnp-tv-z]{16}$`).MatchString(code),
			kind < 0 || kind > 2:
			t.Errorf("%q was read as %q of kind %d", text, code, kind)
		}
		if again, same := auth.ParseCode(code); kind != 0 && (again != code || same != kind) {
			t.Errorf("%q was read as %q, which is read as %q", text, code, again)
		}
	})
}

func BenchmarkCheckTOTP(b *testing.B) {
	g := newGuard(b)
	secret, _ := g.enrol(b, "usr_1")
	for b.Loop() {
		if err := g.Check(b.Context(), "usr_1", g.code(secret, 0)); err != nil {
			b.Fatal(err)
		}
		g.clock.move(30 * time.Second)
	}
}
