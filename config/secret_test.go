package config_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/ashlar-go/ashlar/config"
)

func TestSecretNeverPrints(t *testing.T) {
	t.Parallel()
	const canary = "canary-7f3a"
	type holder struct {
		Name   string
		Open   config.Secret
		hidden config.Secret
		List   []config.Secret
	}
	s := config.NewSecret(canary)
	h := holder{Name: "till", Open: s, hidden: s, List: []config.Secret{s}}

	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t"} {
		fmt.Fprintf(&out, verb, s)
		fmt.Fprintf(&out, verb, &s)
		fmt.Fprintf(&out, verb, h)
		fmt.Fprintf(&out, verb, &h)
		fmt.Fprintf(&out, verb, map[string]config.Secret{"k": s})
	}
	fmt.Fprintln(&out, s, h, &h)
	for _, log := range []*slog.Logger{slog.New(slog.NewJSONHandler(&out, nil)), slog.New(slog.NewTextHandler(&out, nil))} {
		log.Info("start", "secret", s, "pointer", &s, "holder", h)
	}
	text, err := json.Marshal(h)
	if err != nil {
		t.Fatal(err)
	}
	out.Write(text)

	if strings.Contains(out.String(), canary) || strings.Contains(out.String(), fmt.Sprintf("%x", canary)) {
		t.Errorf("the secret is in:\n%s", &out)
	}
	if want := `{"Name":"till","Open":"***","List":["***"]}`; string(text) != want {
		t.Errorf("JSON is %s, want %s", text, want)
	}
	if s.Reveal() != canary {
		t.Errorf("Reveal() = %q", s.Reveal())
	}
}

func TestSecretEqual(t *testing.T) {
	t.Parallel()
	a, b := config.NewSecret("same"), config.NewSecret("same")
	if !a.Equal(b) || a.Equal(config.NewSecret("Same")) || a.Equal(config.Secret{}) {
		t.Error("Equal does not compare texts")
	}
	if empty := config.NewSecret(""); !empty.IsZero() || !empty.Equal(config.Secret{}) || empty.String() != "" {
		t.Errorf("an empty secret prints %q", empty)
	}
}

func TestBytes(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]config.Bytes{
		"0": 0, "512": 512, "512B": 512, "64KiB": 64 << 10, "16 MiB": 16 << 20, "2GiB": 2 << 30, "1TiB": 1 << 40,
		"1kB": 1000, "1KB": 1000, "10MB": 10_000_000, "3GB": 3_000_000_000, "1TB": 1_000_000_000_000,
		"9223372036854775807": 1<<63 - 1,
	} {
		var got config.Bytes
		if err := got.UnmarshalText([]byte(text)); err != nil || got != want {
			t.Errorf("%q is %d, %v; want %d", text, got, err, want)
		}
		var again config.Bytes
		if err := again.UnmarshalText([]byte(got.String())); err != nil || again != got {
			t.Errorf("%q prints as %q, which reads as %d, %v", text, got, again, err)
		}
	}
	for _, bad := range []string{"", "-1", "1.5MiB", "KiB", "1KiBs", "1kib", "9223372036854775808", "8388608TiB", "1  KiB", "0x10"} {
		var got config.Bytes
		if err := got.UnmarshalText([]byte(bad)); err == nil {
			t.Errorf("%q is read as %d", bad, got)
		}
	}
}
