package ashlar_test

import (
	"crypto/hmac"
	"crypto/sha1" // #nosec G505 -- what authenticators compute with
	"encoding/base32"
	"encoding/binary"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ashlar-go/ashlar"
	"github.com/ashlar-go/ashlar/ashlartest"
	"github.com/ashlar-go/ashlar/auth"
	"github.com/ashlar-go/ashlar/auth/authtest"
	"github.com/ashlar-go/ashlar/db"
	"github.com/ashlar-go/ashlar/fault"
)

func TestFactorsTable(t *testing.T) {
	t.Parallel()
	authtest.RunFactors(t, func(t *testing.T) auth.FactorStore {
		app := ashlartest.Open(t)
		app.Migrate()
		return ashlar.FactorStoreOf(app.App)
	})
}

// authenticator shows what one shows that was given this secret, some periods
// from now.
func authenticator(t *testing.T, secret string, periods int64) string {
	t.Helper()
	key, err := base32.StdEncoding.DecodeString(secret)
	if err != nil {
		t.Fatal(err)
	}
	mac := hmac.New(sha1.New, key)
	mac.Write(binary.BigEndian.AppendUint64(nil, uint64(time.Now().Unix()/30+periods)))
	sum := mac.Sum(nil)
	return fmt.Sprintf("%06d", binary.BigEndian.Uint32(sum[sum[19]&15:])&0x7fffffff%1_000_000)
}

var (
	enrolTOTP   = ashlartest.Call[auth.TOTPEnrolment]
	confirmTOTP = ashlartest.Call[auth.RecoveryCodes]
)

const annsPassword = "square-and-true"

// P11.13, P12.17, P12.21: sign-in with a second factor, from its enrolment to
// its end, and none of its secrets where they do not belong.
func TestSignInWithASecondFactor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		app := office(t)
		_, me := ann(t, app)
		signIn := func(code string) ashlartest.Result[auth.Grant] {
			in := map[string]string{"email": "ann@b.test", "password": annsPassword}
			if code != "" {
				in["code"] = code
			}
			return grants(app.Anonymous(), "auth.login", in)
		}
		enrolTOTP(me, "auth.totp.enrol", auth.EnrolTOTP{Password: "square-and-false"}).Invalid("/password")
		enrolTOTP(me, "auth.totp.enrol", nil).Invalid("/password")
		confirmTOTP(me, "auth.totp.confirm", auth.ConfirmTOTP{Code: "123456"}).Fails(auth.ErrNoFactor)
		secret := enrolTOTP(me, "auth.totp.enrol", auth.EnrolTOTP{Password: annsPassword}).OK()
		if !strings.HasPrefix(secret.URI, "otpauth://totp/ashlar:ann%40b.test?") && !strings.HasPrefix(secret.URI, "otpauth://totp/ashlar:ann@b.test?") {
			t.Errorf("the URI is %s", secret.URI)
		}
		signIn("").OK() // it is not confirmed
		first := authenticator(t, secret.Secret, 0)
		confirmTOTP(me, "auth.totp.confirm", auth.ConfirmTOTP{Code: "12"}).Invalid("/code")
		recovery := confirmTOTP(me, "auth.totp.confirm", auth.ConfirmTOTP{Code: first}).OK().RecoveryCodes

		signIn("").Fails(auth.ErrSecondFactorRequired)
		signIn(first).Fails(auth.ErrSecondFactor) // it was used to confirm
		second := authenticator(t, secret.Secret, 1)
		signIn(second).OK()
		signIn(second).Fails(auth.ErrSecondFactor)
		signIn(recovery[0]).OK()
		signIn(recovery[0]).Fails(auth.ErrSecondFactor)
		// Neither answer is given to who does not have the password.
		wrong := grants(app.Anonymous(), "auth.login", auth.Credentials{Email: "ann@b.test", Password: "square-and-false", Code: authenticator(t, secret.Secret, 1)})
		wrong.Fails(auth.ErrSignIn)

		// A stolen access token is not enough to turn it off, nor an API key.
		nothing(me, "auth.totp.remove", nil).Invalid("/password")
		nothing(me, "auth.totp.remove", auth.RemoveTOTP{Password: "square-and-false"}).Invalid("/password")
		nothing(me, "auth.totp.remove", auth.RemoveTOTP{Code: recovery[0]}).Invalid("/code")
		key := newAPIKey(me, "api_keys.create", newKey{Name: "n", Permissions: []string{"greetings:read"}}).OK().Key
		nothing(app.Bearer(key), "auth.totp.remove", auth.RemoveTOTP{Password: annsPassword}).Fails(fault.ErrDenied)
		enrolTOTP(app.Bearer(key), "auth.totp.enrol", auth.EnrolTOTP{Password: annsPassword}).Fails(fault.ErrDenied)
		enrolTOTP(me, "auth.totp.enrol", auth.EnrolTOTP{Password: annsPassword}).Fails(auth.ErrFactor)

		events, err := db.All[auth.SecurityEvent](t.Context(), app.DB, `SELECT * FROM ashlar_security_events ORDER BY id`)
		if err != nil {
			t.Fatal(err)
		}
		sealed, err := db.One[[]byte](t.Context(), app.DB, `SELECT sealed FROM ashlar_second_factors`)
		if err != nil {
			t.Fatal(err)
		}
		raw, err := base32.StdEncoding.DecodeString(secret.Secret)
		if err != nil {
			t.Fatal(err)
		}
		hashes, err := db.All[[]byte](t.Context(), app.DB, `SELECT hash FROM ashlar_recovery_codes`)
		if err != nil || len(hashes) != 9 {
			t.Fatal(len(hashes), err)
		}
		text := map[string]string{"log": app.Log(), "events": fmt.Sprintf("%+v", events), "problem": wrong.Body(), "database": string(sealed) + fmt.Sprintf("%s", hashes)}
		canaries := append([]string{secret.Secret, string(raw), annsPassword, "square-and-false"}, recovery...)
		codes := regexp.MustCompile(`\b(` + first + `|` + second + `)\b`) // six digits may be part of any number
		for place, text := range text {
			if code := codes.FindString(text); code != "" {
				t.Errorf("the %s has %s", place, code)
			}
			for _, canary := range canaries {
				if strings.Contains(text, canary) || strings.Contains(text, strings.ReplaceAll(canary, "-", "")) {
					t.Errorf("the %s has %s", place, canary)
				}
			}
		}

		nothing(me, "auth.totp.remove", auth.RemoveTOTP{Password: annsPassword}).OK()
		nothing(me, "auth.totp.remove", auth.RemoveTOTP{Password: annsPassword}).Fails(auth.ErrNoFactor)
		signIn("").OK()
		kinds, err := db.All[string](t.Context(), app.DB, `SELECT kind FROM ashlar_security_events
		WHERE kind IN ('factor_added', 'factor_removed', 'recovery_code_used') AND subject = $1 AND outcome = 'succeeded' ORDER BY id`, annOf(t, app).ID)
		if err != nil || fmt.Sprint(kinds) != "[factor_added recovery_code_used factor_removed]" {
			t.Errorf("recorded %v, %v", kinds, err)
		}
	})
}

// P11.25: the sixth guess is not looked at, and the answer says when the next
// will be.
func TestSecondFactorGuesses(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		app := office(t)
		_, me := ann(t, app)
		secret := enrolTOTP(me, "auth.totp.enrol", auth.EnrolTOTP{Password: annsPassword}).OK().Secret
		var throttled bool
		for i := range 7 {
			r := confirmTOTP(me, "auth.totp.confirm", auth.ConfirmTOTP{Code: wrongCode(t, secret, i)})
			if i < 5 {
				r.Invalid("/code")
				continue
			}
			r.Fails(auth.ErrFactorThrottled)
			throttled = r.Header("Retry-After") == "900"
		}
		if !throttled {
			t.Error("the answer does not say when to come back")
		}
	})
}

func wrongCode(t *testing.T, secret string, n int) string {
	t.Helper()
	code := fmt.Sprintf("%06d", 100_000+n)
	for p := range int64(5) {
		if authenticator(t, secret, p-2) == code {
			return wrongCode(t, secret, n+100)
		}
	}
	return code
}

// P11.5, P12.17: a second factor outlives the signing keys of its day.
func TestSecondFactorsOutliveARotation(t *testing.T) {
	t.Parallel()
	old, err := auth.NewKeys(auth.GenerateKey())
	if err != nil {
		t.Fatal(err)
	}
	rotated := old
	for range 3 { // the last of them knows nothing of the first key
		if rotated, err = rotated.Rotated(auth.GenerateKey(), time.Now().Add(-24*time.Hour)); err != nil {
			t.Fatal(err)
		}
	}
	file := ashlartest.Database(t)
	before := branch(t, "DATABASE_URL", file, "ASHLAR_SIGNING_KEYS", old.List()[0].Secret().Reveal())
	before.Migrate()
	if _, err := before.Accounts.Create(t.Context(), auth.NewAccount{Email: "ann@b.test", Password: annsPassword, Role: "clerk"}); err != nil {
		t.Fatal(err)
	}
	_, me := ann(t, before)
	secret := enrolTOTP(me, "auth.totp.enrol", auth.EnrolTOTP{Password: annsPassword}).OK().Secret
	confirmTOTP(me, "auth.totp.confirm", auth.ConfirmTOTP{Code: authenticator(t, secret, 0)}).OK()

	after := branch(t, "DATABASE_URL", file, "ASHLAR_SIGNING_KEYS", rotated.Secret().Reveal())
	in := auth.Credentials{Email: "ann@b.test", Password: annsPassword, Code: authenticator(t, secret, 1)}
	grants(after.Anonymous(), "auth.login", in).OK()
}
