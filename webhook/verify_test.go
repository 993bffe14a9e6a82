package webhook_test

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/webhook"
)

// The vector that the libraries of Standard Webhooks are tested with.
const (
	vectorSecret    = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	vectorID        = "msg_p5jXN8AQM9LWM0D4loKWxJek"
	vectorAt        = 1614265330
	vectorPayload   = `{"test": 2432232314}`
	vectorSignature = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
)

func secretOf(t testing.TB, text string) webhook.Secret {
	t.Helper()
	s, err := webhook.ParseSecret(text)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestVector(t *testing.T) {
	t.Parallel()
	s := secretOf(t, vectorSecret)
	if got := s.Sign(vectorID, time.Unix(vectorAt, 999_999_999), []byte(vectorPayload)); got != vectorSignature {
		t.Errorf("signed %s, want %s", got, vectorSignature)
	}
	if s.Reveal() != vectorSecret {
		t.Errorf("revealed %s", s.Reveal())
	}
	v := webhook.Verifier{Secrets: []webhook.Secret{s}, Now: func() time.Time { return time.Unix(vectorAt, 0) }}
	if err := v.Verify(signed(vectorSignature), []byte(vectorPayload)); err != nil {
		t.Error(err)
	}
}

// signed are the headers of the vector with other signatures.
func signed(signatures string) http.Header {
	h := http.Header{}
	h.Set(webhook.HeaderID, vectorID)
	h.Set(webhook.HeaderTimestamp, strconv.Itoa(vectorAt))
	h.Set(webhook.HeaderSignature, signatures)
	return h
}

// TestVerify holds P15.10 at the receiver: a bad signature and one of ten
// minutes ago are refused, and so is everything else that is not exactly what
// was signed.
func TestVerify(t *testing.T) {
	t.Parallel()
	other := secretOf(t, "whsec_"+base64.StdEncoding.EncodeToString(make([]byte, 32)))
	ofOther := other.Sign(vectorID, time.Unix(vectorAt, 0), []byte(vectorPayload))
	set := func(name string, values ...string) func(http.Header) {
		return func(h http.Header) { h[http.CanonicalHeaderKey(name)] = values }
	}
	for name, c := range map[string]struct {
		change func(http.Header)
		body   string
		later  time.Duration
		want   error
	}{
		"as it was sent":                         {},
		"one of two":                             {change: set(webhook.HeaderSignature, ofOther+" "+vectorSignature)},
		"beside an asymmetric one":               {change: set(webhook.HeaderSignature, "v1a,aGVsbG8= "+vectorSignature)},
		"four minutes late":                      {later: 4 * time.Minute},
		"four minutes early":                     {later: -4 * time.Minute},
		"ten minutes old":                        {later: 10 * time.Minute, want: webhook.ErrTimestamp},
		"from the future":                        {later: -10 * time.Minute, want: webhook.ErrTimestamp},
		"another body":                           {body: `{"test": 2432232315}`, want: webhook.ErrSignature},
		"no body":                                {body: " ", want: webhook.ErrSignature},
		"another secret":                         {change: set(webhook.HeaderSignature, ofOther), want: webhook.ErrSignature},
		"another id":                             {change: set(webhook.HeaderID, "msg_2"), want: webhook.ErrSignature},
		"another timestamp":                      {change: set(webhook.HeaderTimestamp, strconv.Itoa(vectorAt+1)), want: webhook.ErrSignature},
		"no version":                             {change: set(webhook.HeaderSignature, strings.TrimPrefix(vectorSignature, "v1,")), want: webhook.ErrSignature},
		"another version":                        {change: set(webhook.HeaderSignature, "v2"+strings.TrimPrefix(vectorSignature, "v1")), want: webhook.ErrSignature},
		"a part of it":                           {change: set(webhook.HeaderSignature, vectorSignature[:20]), want: webhook.ErrSignature},
		"nothing behind the comma":               {change: set(webhook.HeaderSignature, "v1,"), want: webhook.ErrSignature},
		"no base64":                              {change: set(webhook.HeaderSignature, "v1,***"), want: webhook.ErrSignature},
		"base64 with other bits":                 {change: set(webhook.HeaderSignature, vectorSignature[:len(vectorSignature)-2]+"F="), want: webhook.ErrSignature},
		"too many signatures":                    {change: set(webhook.HeaderSignature, strings.Repeat(ofOther+" ", 16)+vectorSignature), want: webhook.ErrSignature},
		"no signature":                           {change: set(webhook.HeaderSignature), want: webhook.ErrUnsigned},
		"an empty signature":                     {change: set(webhook.HeaderSignature, ""), want: webhook.ErrUnsigned},
		"two headers":                            {change: set(webhook.HeaderSignature, vectorSignature, ofOther), want: webhook.ErrUnsigned},
		"no id":                                  {change: set(webhook.HeaderID), want: webhook.ErrUnsigned},
		"two ids":                                {change: set(webhook.HeaderID, vectorID, "msg_2"), want: webhook.ErrUnsigned},
		"no timestamp":                           {change: set(webhook.HeaderTimestamp), want: webhook.ErrUnsigned},
		"a timestamp of letters":                 {change: set(webhook.HeaderTimestamp, "now"), want: webhook.ErrUnsigned},
		"a timestamp with a sign":                {change: set(webhook.HeaderTimestamp, "+"+strconv.Itoa(vectorAt)), want: webhook.ErrUnsigned},
		"a timestamp with a fraction":            {change: set(webhook.HeaderTimestamp, strconv.Itoa(vectorAt)+".5"), want: webhook.ErrUnsigned},
		"a timestamp that no duration can reach": {change: set(webhook.HeaderTimestamp, "9223372036854775807"), want: webhook.ErrUnsigned},
		"a negative timestamp":                   {change: set(webhook.HeaderTimestamp, "-1"), want: webhook.ErrUnsigned},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := webhook.Verifier{
				Secrets: []webhook.Secret{secretOf(t, vectorSecret)},
				Now:     func() time.Time { return time.Unix(vectorAt, 0).Add(c.later) },
			}
			h, body := signed(vectorSignature), vectorPayload
			if c.change != nil {
				c.change(h)
			}
			if c.body != "" {
				body = c.body
			}
			err := v.Verify(h, []byte(body))
			if !errors.Is(err, c.want) || (err == nil) != (c.want == nil) {
				t.Errorf("got %v, want %v", err, c.want)
			}
			if err != nil && fault.ProblemOf(err, "").Status != 401 {
				t.Errorf("%v answers %d", err, fault.ProblemOf(err, "").Status)
			}
		})
	}
}

// TestNobodyCanSignWithoutASecret: no secrets, and a zero one, take nothing.
func TestNobodyCanSignWithoutASecret(t *testing.T) {
	t.Parallel()
	at := time.Now()
	h := http.Header{}
	h.Set(webhook.HeaderID, "m")
	h.Set(webhook.HeaderTimestamp, strconv.FormatInt(at.Unix(), 10))
	h.Set(webhook.HeaderSignature, webhook.Secret{}.Sign("m", at, nil))
	for _, secrets := range [][]webhook.Secret{nil, {{}}} {
		if err := webhook.Verify(h, nil, secrets...); !errors.Is(err, webhook.ErrSignature) {
			t.Errorf("%v: %v", secrets, err)
		}
	}
}

func TestSecrets(t *testing.T) {
	t.Parallel()
	b64 := base64.StdEncoding.EncodeToString
	for text, ok := range map[string]bool{
		"whsec_" + b64(make([]byte, 24)): true, "whsec_" + b64(make([]byte, 64)): true, b64(make([]byte, 32)): true,
		"": false, "whsec_": false, "whsec_***": false,
		"whsec_" + b64(make([]byte, 23)): false, "whsec_" + b64(make([]byte, 65)): false,
		"whsec_" + base64.RawURLEncoding.EncodeToString(make([]byte, 25)): false,
		"WHSEC_" + b64(make([]byte, 24)):                                  false,
	} {
		if _, err := webhook.ParseSecret(text); (err == nil) != ok {
			t.Errorf("%q: %v", text, err)
		}
	}
	a, b := webhook.NewSecret(), webhook.NewSecret()
	if a.Reveal() == b.Reveal() || len(a.Reveal()) != len("whsec_")+44 {
		t.Errorf("two secrets are alike, or short: %d bytes", len(a.Reveal()))
	}
	if again := secretOf(t, a.Reveal()); again.Reveal() != a.Reveal() {
		t.Error("a secret reads as another one")
	}
	// Neither it nor what it stands in shows it.
	text, _ := a.MarshalText()
	held := struct{ S webhook.Secret }{a}
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "secret", a, "held", held)
	shown := fmt.Sprintf("%v %+v %#v %s %q %v %+v %#v", a, a, a, a, a, held, held, held) + string(text) + log.String()
	if key := strings.TrimPrefix(a.Reveal(), "whsec_"); strings.Contains(shown, key[:12]) {
		t.Error("a secret shows: " + shown)
	}
}

func TestWrap(t *testing.T) {
	t.Parallel()
	secret := webhook.NewSecret()
	var got string
	h := webhook.Verifier{Secrets: []webhook.Secret{secret}, MaxBody: 100}.Wrap(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		text, _ := io.ReadAll(r.Body)
		got = r.Header.Get(webhook.HeaderID) + " " + string(text)
	}))
	send := func(body, signature string, at time.Time) int {
		r := httptest.NewRequest("POST", "/", strings.NewReader(body))
		r.Header.Set(webhook.HeaderID, "m1")
		r.Header.Set(webhook.HeaderTimestamp, strconv.FormatInt(at.Unix(), 10))
		r.Header.Set(webhook.HeaderSignature, signature)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w.Code
	}
	now := time.Now()
	if code := send("hello", secret.Sign("m1", now, []byte("hello")), now); code != 200 || got != "m1 hello" {
		t.Errorf("%d %q", code, got)
	}
	got = ""
	long, old := strings.Repeat("x", 101), now.Add(-10*time.Minute)
	for want, code := range map[int]int{
		401: send("hello!", secret.Sign("m1", now, []byte("hello")), now),
		413: send(long, secret.Sign("m1", now, []byte(long)), now),
	} {
		if code != want || got != "" {
			t.Errorf("%d, want %d; the handler got %q", code, want, got)
		}
	}
	if code := send("hello", secret.Sign("m1", old, []byte("hello")), old); code != 401 || got != "" {
		t.Errorf("%d for one of ten minutes ago", code)
	}
}

// FuzzVerify looks for headers that pass without the secret, and for a panic.
func FuzzVerify(f *testing.F) {
	f.Add(vectorID, strconv.Itoa(vectorAt), "v1,aGVsbG8=", vectorPayload)
	f.Add("", "", "v1, v1a,x v1,,", "")
	f.Add("a.b", "1.2", strings.Repeat(" v1,", 40), "{")
	secret := webhook.NewSecret()
	f.Fuzz(func(t *testing.T, id, at, signature, body string) {
		v := webhook.Verifier{Secrets: []webhook.Secret{secret}, Now: func() time.Time { return time.Unix(vectorAt, 0) }}
		h := http.Header{}
		h.Set(webhook.HeaderID, id)
		h.Set(webhook.HeaderTimestamp, at)
		h.Set(webhook.HeaderSignature, signature)
		if err := v.Verify(h, []byte(body)); err == nil {
			t.Fatal("it passes without the secret")
		}
		seconds, err := strconv.ParseInt(at, 10, 64)
		if err != nil || id == "" || strconv.FormatInt(seconds, 10) != at || seconds < vectorAt-299 || seconds > vectorAt+299 {
			return
		}
		h.Set(webhook.HeaderSignature, secret.Sign(id, time.Unix(seconds, 0), []byte(body)))
		if err := v.Verify(h, []byte(body)); err != nil {
			t.Fatalf("what was signed is refused: %v", err)
		}
	})
}
