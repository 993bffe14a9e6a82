package logs_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/ashlar-go/ashlar/logs"
)

// explosive is a secret whose very formatting is a mistake.
type explosive struct{ t *testing.T }

func (e explosive) LogValue() slog.Value {
	e.t.Error("a hidden value was resolved")
	return slog.StringValue("canary")
}

func TestHiddenKeys(t *testing.T) {
	t.Parallel()
	for key, hidden := range map[string]bool{
		"password": true, "PASSWORD": true, "new_password": true, "newPassword": true, "New-Password": true, "user.password": true,
		"Authorization": true, "Proxy-Authorization": true, "token": true, "access_token": true, "accessToken": true,
		"X-CSRF-Token": true, "client_secret": true, "Set-Cookie": true, "card": true, "number": true, "card_number": true,
		"cardNumber": true, "cvc": true, "CVV": true, "pan": true, "DATABASE_URL": true, "otp": true,
		"db_pwd": true, "Passcode": true, "id_jwt": true, "X-Authorization": true, "Session-Cookie": true, "sessionCookie": true,
		"AWS_SECRET_ACCESS_KEY": true, "secretKey": true, "encryption-key": true, "recovery_codes": true, "code_verifier": true,
		"client_assertion": true, "retry_key": true, "connectionString": true,
		"cookies": false, "recovery": false, "key": false, "monkey": false, "pwdump": false, "sort_key": false, "primary_key": false,
		"passwords_changed": false, "tokens": false, "retoken": false, "discard": false, "page_number": false, "cardinality": false,
		"status": false, "company": false, "spin": false, "authorization_id": false, "": false, "d": false, "secretary": false,
	} {
		for _, format := range []logs.Format{logs.JSON, logs.Text} {
			got := said(logs.Options{Format: format}, func(l *slog.Logger) { l.Info("m", key, "canary") })
			if strings.Contains(got, "canary") == hidden || strings.Contains(got, "***") != hidden {
				t.Errorf("%q is written as %s; hidden should be %t", key, got, hidden)
			}
		}
	}
}

func TestNothingHiddenEscapes(t *testing.T) {
	t.Parallel()
	type login struct {
		Email    string `json:"email"`
		Password string `json:"password"`
		Card     struct{ Number, Brand string }
	}
	in := login{Email: "a@b.c", Password: "canary"}
	in.Card.Number = "canary"
	say := map[string]func(*slog.Logger){
		"a value":       func(l *slog.Logger) { l.Info("m", "password", "canary") },
		"another kind":  func(l *slog.Logger) { l.Info("m", "pin", 4711, "token", []byte("canary")) },
		"a lazy value":  func(l *slog.Logger) { l.Info("m", "secret", explosive{t}) },
		"in a group":    func(l *slog.Logger) { l.Info("m", slog.Group("a", slog.Group("b", "cvc", "canary"))) },
		"a group":       func(l *slog.Logger) { l.Info("m", slog.Group("card", "brand", "canary")) },
		"an open group": func(l *slog.Logger) { l.WithGroup("card").With("a", "canary").WithGroup("x").Info("m", "b", "canary") },
		"With":          func(l *slog.Logger) { l.With("api_key", "canary").Info("m") },
		"a lazy group":  func(l *slog.Logger) { l.Info("m", "x", lazy{slog.GroupValue(slog.String("token", "canary"))}) },
		"a struct":      func(l *slog.Logger) { l.Info("m", "in", in) },
		"a pointer":     func(l *slog.Logger) { l.Info("m", "in", &in) },
		"a list of maps": func(l *slog.Logger) {
			l.Info("m", "in", []any{map[string]any{"token": map[string]any{"a": []any{"canary", "}"}}, "z": 1}})
		},
		"raw JSON": func(l *slog.Logger) {
			l.Info("m", "in", json.RawMessage(`{"a":"\"","pass\u0077ord": ["canary", {"x":"]"}], "b":1}`))
		},
	}
	for name, say := range say {
		for _, format := range []logs.Format{logs.JSON, logs.Text} {
			got := said(logs.Options{Format: format}, say)
			if strings.Contains(got, "canary") || strings.Contains(got, "4711") || !strings.Contains(got, "***") {
				t.Errorf("%s is written as %s", name, got)
			}
		}
	}
	got := said(logs.Options{}, say["raw JSON"])
	if want := `,"in":{"a":"\"","pass\u0077ord":"***","b":1}}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	got = said(logs.Options{}, say["an open group"])
	if want := `,"card":"***"}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestRedactReplacesTheDefault(t *testing.T) {
	t.Parallel()
	got := said(logs.Options{Redact: []string{"*Shoe-Size", "iban", "*"}}, func(l *slog.Logger) {
		l.Info("m", "his_shoe_size", "43", "iban", "x", "my_iban", "y", "token", "z")
	})
	if want := `,"his_shoe_size":"***","iban":"***","my_iban":"y","token":"z"}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestHostileTextStaysInItsLine(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"a\r\nb\tc":         `a\r\nb\tc`,
		"\x1b[2J\x07\x00":   `\u001b[2J\u0007\u0000`,
		"\x7f":              `\u007f`,
		"\u009b31m":         `\u009b31m`,
		"\u2028\u2029":      `\u2028\u2029`,
		"\u202egnp.exe":     `\u202egnp.exe`,
		"a\xffb\xc3":        `a\ufffdb\ufffd`,
		`"quoted" \`:        `\"quoted\" \\`,
		"Grüße 世界 🎉 \ufffd": "Grüße 世界 🎉 \ufffd",
	} {
		got := said(logs.Options{}, func(l *slog.Logger) { l.Info("m", in, in) })
		if want := `,"` + want + `":"` + want + `"}`; got != want {
			t.Errorf("%q is written as %s, want %s", in, got, want)
		}
		inside := said(logs.Options{}, func(l *slog.Logger) { l.Info("m", "k", []string{in}) })
		if strings.ContainsFunc(inside, func(r rune) bool { return r < ' ' || r >= 0x7f && r < 0xa0 || r == 0x202e || r == 0x2028 }) {
			t.Errorf("%q in a list is written as %q", in, inside)
		}
		text := said(logs.Options{Format: logs.Text}, func(l *slog.Logger) { l.Info("m", in, in, "l", []string{in}) })
		if strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r >= 0x7f && r < 0xa0 || r == 0x202e || r == 0x2028 }) {
			t.Errorf("%q as text is written as %q", in, text)
		}
	}
}

// FuzzLine holds that any record is one line of valid JSON that says, where
// the input is valid text, what was said.
func FuzzLine(f *testing.F) {
	f.Add("message", "key", "value", int64(1), 0.5, []byte(`{"a":["b"]}`))
	f.Add("\r\n\x1b", "\xff", "\u2028\"\\", int64(-1), 1e300, []byte(`"\u202e"`))
	f.Fuzz(func(t *testing.T, message, key, value string, n int64, x float64, raw []byte) {
		var out bytes.Buffer
		log := logs.New(&out, logs.Options{})
		log.With(key, value, "raw", json.RawMessage(raw)).WithGroup(key).Info(message, key, value, "n", n, "x", x,
			slog.Group("g", key, value, "list", []string{value}, "map", map[string]string{key: value}))
		line := out.String()
		got := parse(t, line)
		if utf8.ValidString(message) && got["msg"] != message && key != "msg" {
			t.Errorf("message %q is read as %q", message, got["msg"])
		}
		for _, r := range strings.TrimSuffix(line, "\n") {
			if r < ' ' || r >= 0x7f && r < 0xa0 || r == 0x2028 || r == 0x202e {
				t.Errorf("%U stands bare in %q", r, line)
			}
		}

		out.Reset()
		logs.New(&out, logs.Options{Format: logs.Text}).WithGroup(key).Info(message, key, value, "list", []string{value})
		if text := out.String(); strings.Count(text, "\n") != 1 || strings.ContainsAny(text, "\x1b\r\x00") {
			t.Errorf("text is %q", text)
		}
	})
}
