package config_test

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ashlar-go/ashlar/config"
)

type mode string

func (mode) Values() []string { return []string{"development", "production"} }

type pool struct {
	Size int `env:"POOL_SIZE" default:"4"`
	Idle int `env:"POOL_IDLE" default:"2"`
}

func (p pool) Validate() error {
	if p.Idle > p.Size {
		return errors.New("POOL_IDLE is larger than POOL_SIZE")
	}
	return nil
}

type base struct {
	Addr netip.AddrPort `env:"ADDR" default:"127.0.0.1:8080" doc:"where to listen"`
	Mode mode           `env:"MODE" default:"production"`
}

type settings struct {
	base
	Pool    pool
	Name    string         `env:"NAME,required"`
	Key     config.Secret  `env:"KEY,required"`
	Debug   bool           `env:"DEBUG"`
	Small   int8           `env:"SMALL"`
	Count   uint16         `env:"COUNT" default:"7"`
	Ratio   float64        `env:"RATIO" default:"0.5"`
	Wait    time.Duration  `env:"WAIT" default:"30s"`
	Body    config.Bytes   `env:"BODY" default:"1MiB"`
	Level   slog.Level     `env:"LEVEL" default:"info"`
	Proxies []netip.Prefix `env:"PROXIES"`
	Tags    []string       `env:"TAGS"`
	Bank    *url.URL       `env:"BANK"`
	Limit   *int           `env:"LIMIT"`
	Derived string
}

func required(more map[string]string) config.Lookup {
	return config.First(config.Map(more), config.Map(map[string]string{"NAME": "till", "KEY": "k3y"}))
}

func TestLoadDefaults(t *testing.T) {
	t.Parallel()
	got, err := config.Load[settings](required(map[string]string{"DEBUG": "", "COUNT": ""}))
	if err != nil {
		t.Fatal(err)
	}
	want := settings{
		base: base{Addr: netip.MustParseAddrPort("127.0.0.1:8080"), Mode: "production"},
		Pool: pool{Size: 4, Idle: 2}, Name: "till", Key: config.NewSecret("k3y"), Count: 7, Ratio: 0.5,
		Wait: 30 * time.Second, Body: 1 << 20, Level: slog.LevelInfo,
	}
	if diff := compare(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestLoadEveryType(t *testing.T) {
	t.Parallel()
	got, err := config.Load[settings](required(map[string]string{
		"ADDR": "[::1]:0", "MODE": "development", "POOL_SIZE": "8", "DEBUG": "true", "SMALL": "-128", "COUNT": "65535",
		"RATIO": "1e-3", "WAIT": "1m30s", "BODY": "10MB", "LEVEL": "WARN", "PROXIES": "10.0.0.0/8, fd00::/8",
		"TAGS": "a, b c", "BANK": "https://bank.example/v1", "LIMIT": "0",
	}))
	if err != nil {
		t.Fatal(err)
	}
	want := settings{
		base: base{Addr: netip.MustParseAddrPort("[::1]:0"), Mode: "development"},
		Pool: pool{Size: 8, Idle: 2}, Name: "till", Key: config.NewSecret("k3y"), Debug: true, Small: -128,
		Count: 65535, Ratio: 0.001, Wait: 90 * time.Second, Body: 10_000_000, Level: slog.LevelWarn,
		Proxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")},
		Tags:    []string{"a", "b c"}, Bank: &url.URL{Scheme: "https", Host: "bank.example", Path: "/v1"}, Limit: new(0),
	}
	if diff := compare(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestLoadReportsEveryMistakeAndNoSecret(t *testing.T) {
	t.Parallel()
	_, err := config.Load[settings](config.Map(map[string]string{
		"ADDR": "nowhere", "MODE": "staging", "POOL_SIZE": "many", "DEBUG": "maybe", "SMALL": "128", "COUNT": "-1",
		"RATIO": "NaN", "WAIT": "5 mins", "BODY": "-1", "LEVEL": "loud", "PROXIES": "10.0.0.0/8,,", "BANK": "https://u:hunter2@",
		"LIMIT": "x\x1b[2J", "KEY": "canary", "KEY_FILE": "/nonexistent",
	}))
	want := `15 mistakes in the configuration:
  ADDR is "nowhere"; expected an IP address and port such as 127.0.0.1:8080
  MODE is "staging"; expected one of development, production
  POOL_SIZE is "many"; expected a whole number from -9223372036854775808 to 9223372036854775807
  NAME is required and not set; expected a text
  KEY is set, and so is KEY_FILE; set one of the two
  DEBUG is "maybe"; expected true or false
  SMALL is "128"; expected a whole number from -128 to 127
  COUNT is "-1"; expected a whole number from 0 to 65535
  RATIO is "NaN"; expected a number such as 0.25
  WAIT is "5 mins"; expected a duration such as 250ms, 30s or 1h30m
  BODY is "-1"; expected a size such as 512, 64KiB or 10MB
  LEVEL is "loud"; expected debug, info, warn or error
  PROXIES is "10.0.0.0/8,,"; expected a comma-separated list, each item an IP prefix such as 10.0.0.0/8
  BANK is not usable; expected an absolute URL such as https://example.com
  LIMIT is "x\x1b[2J"; expected a whole number from -9223372036854775808 to 9223372036854775807`
	if diff := cmp.Diff(want, err.Error()); diff != "" {
		t.Error(diff)
	}
	if _, ok := errors.AsType[config.Mistakes](err); !ok {
		t.Errorf("error is a %T, want Mistakes", err)
	}
}

func TestLoadAsksValidateOnlyOfSoundStructs(t *testing.T) {
	t.Parallel()
	_, err := config.Load[settings](required(map[string]string{"POOL_SIZE": "1", "SMALL": "x"}))
	if err == nil || !strings.Contains(err.Error(), "\n  POOL_IDLE is larger than POOL_SIZE\n  SMALL is") {
		t.Errorf("Validate was not heard beside another struct's mistake: %v", err)
	}
	_, err = config.Load[settings](required(map[string]string{"POOL_SIZE": "1", "POOL_IDLE": "x"}))
	if err == nil || strings.Contains(err.Error(), "larger") {
		t.Errorf("Validate was asked about a value that never parsed: %v", err)
	}
}

func TestSecretFromFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "key")
	load := func(content string) (string, error) {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := config.Load[settings](config.Map(map[string]string{"NAME": "till", "KEY_FILE": path}))
		return got.Key.Reveal(), err
	}
	for content, want := range map[string]string{
		"plain": "plain", "newline\n": "newline", "dos\r\n": "dos", "two\n\n": "two\n", " spaces \n": " spaces ",
	} {
		if got, err := load(content); err != nil || got != want {
			t.Errorf("a file of %q loads %q, %v; want %q", content, got, err, want)
		}
	}
	for content, want := range map[string]string{
		"": "KEY (from KEY_FILE) is empty: nothing in " + path, "\n": "is empty", strings.Repeat("x", 1<<20+1): "larger than 1MiB",
	} {
		if _, err := load(content); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("a file of %d bytes: %v; want %q", len(content), err, want)
		}
	}
	_, err := config.Load[settings](config.Map(map[string]string{"NAME": "till", "KEY_FILE": path + "x"}))
	if err == nil || !strings.Contains(err.Error(), "KEY_FILE") || !strings.Contains(err.Error(), path+"x") {
		t.Errorf("an absent file is reported as %v", err)
	}
	_, err = config.Load[settings](config.Map(map[string]string{"NAME": "till"}))
	if err == nil || !strings.Contains(err.Error(), "KEY is required and not set; expected a secret, or a file with it in KEY_FILE") {
		t.Errorf("a missing secret is reported as %v", err)
	}
}

func TestLoadReportsDeclarationMistakes(t *testing.T) {
	t.Parallel()
	type broken struct {
		hidden  string            `env:"HIDDEN"`
		Spaced  string            `env:"NOT A NAME"`
		Typo    string            `env:"TYPO,requird"`
		Twice   string            `env:"ONE"`
		Again   string            `env:"ONE"`
		Map     map[string]string `env:"MAP"`
		Both    string            `env:"BOTH,required" default:"x"`
		Open    config.Secret     `env:"OPEN" default:"changeme"`
		Wrong   time.Duration     `env:"WRONG" default:"5"`
		Pointer **int             `env:"POINTER"`
		Orphan  string            `default:"x"`
	}
	_, err := config.Load[broken](config.Map(nil))
	_ = broken{hidden: ""}.hidden
	want := `10 mistakes in the configuration:
  config_test.broken.hidden has an env tag and is not exported
  config_test.broken.Spaced has no usable variable name in its env tag: "NOT A NAME"
  config_test.broken.Typo has an env tag with an unknown option: "requird"
  config_test.broken.Again reads ONE, which config_test.broken.Twice reads too
  config_test.broken.Map has a type that a variable cannot fill: map[string]string
  config_test.broken.Both is required and has a default; it can only be one
  config_test.broken.Open is a secret with a default; everybody would know it
  config_test.broken.Wrong has a default that is "5"; expected a duration such as 250ms, 30s or 1h30m
  config_test.broken.Pointer has a type that a variable cannot fill: **int
  config_test.broken.Orphan has a default and no env tag`
	if diff := cmp.Diff(want, err.Error()); diff != "" {
		t.Error(diff)
	}
	if _, err := config.Load[int](config.Map(nil)); err == nil {
		t.Error("Load[int] has no error")
	}
}

type port struct{ number string }

func (p *port) UnmarshalText(text []byte) error {
	if string(text) != "http" {
		return errors.New("no service of that name")
	}
	p.number = "80"
	return nil
}

func TestLoadTextUnmarshaler(t *testing.T) {
	t.Parallel()
	type config1 struct {
		Ports []port `env:"PORTS"`
		Port  *port  `env:"PORT"`
	}
	got, err := config.Load[config1](config.Map(map[string]string{"PORTS": "http,http", "PORT": "http"}))
	if err != nil || len(got.Ports) != 2 || got.Ports[1].number != "80" || got.Port.number != "80" {
		t.Errorf("got %+v, %v", got, err)
	}
	_, err = config.Load[config1](config.Map(map[string]string{"PORT": "gopher"}))
	if want := "1 mistake in the configuration:\n  PORT is \"gopher\": no service of that name"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestDescribe(t *testing.T) {
	t.Parallel()
	var lines []string
	for _, v := range config.Describe[settings]() {
		lines = append(lines, fmt.Sprintf("%s|%s|%s|%t|%t|%s", v.Name, v.Type, v.Default, v.Required, v.Secret, v.Doc))
	}
	want := []string{
		"ADDR|IP address and port|127.0.0.1:8080|false|false|where to listen",
		"MODE|development | production|production|false|false|",
		"POOL_SIZE|integer|4|false|false|", "POOL_IDLE|integer|2|false|false|",
		"NAME|text||true|false|", "KEY|secret||true|true|", "DEBUG|bool||false|false|", "SMALL|integer||false|false|",
		"COUNT|integer|7|false|false|", "RATIO|number|0.5|false|false|", "WAIT|duration|30s|false|false|",
		"BODY|size|1MiB|false|false|", "LEVEL|log level|info|false|false|", "PROXIES|list of IP prefix||false|false|",
		"TAGS|list of text||false|false|", "BANK|URL||false|false|", "LIMIT|integer||false|false|",
	}
	if diff := cmp.Diff(want, lines); diff != "" {
		t.Error(diff)
	}
}

func TestUnknown(t *testing.T) {
	t.Parallel()
	type app struct {
		Addr    string        `env:"ASHLAR_ADDR"`
		Workers int           `env:"ASHLAR_WORKERS"`
		Keys    config.Secret `env:"ASHLAR_SIGNING_KEYS"`
	}
	got := config.Unknown[app]([]string{
		"ASHLAR_ADDR=x", "ASHLAR_SIGNING_KEYS_FILE=/run/keys", "PATH=/bin", // known, or none of ours
		"ASHLAR_SERVICE_HOST=10.0.0.1", "ASHLAR_PORT=tcp://10.0.0.1:80", "ASHLAR_PORT_80_TCP_ADDR=10.0.0.1", // Kubernetes
		"ASHLAR_WORKER=2", "ASHLAR_ADRR=x", "ASHLAR_COLOUR_SCHEME=dark",
	}, "ASHLAR_")
	want := config.Mistakes{
		{Name: "ASHLAR_ADRR", Problem: "is not a known variable; did you mean ASHLAR_ADDR?"},
		{Name: "ASHLAR_COLOUR_SCHEME", Problem: "is not a known variable"},
		{Name: "ASHLAR_WORKER", Problem: "is not a known variable; did you mean ASHLAR_WORKERS?"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func compare(a, b settings) string {
	return cmp.Diff(a, b, cmp.AllowUnexported(settings{}), cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b }),
		cmp.Comparer(func(a, b netip.Prefix) bool { return a == b }))
}

type outer struct {
	Inner pool
	Key   string `env:"KEY"`
}

func (o outer) Validate() error {
	if o.Key == "" {
		return errors.New("KEY is missing")
	}
	return nil
}

type Promoted struct {
	Pool
}

type Pool struct {
	Size int `env:"POOL_SIZE"`
}

func (Pool) Validate() error { return errors.New("POOL_SIZE is never right") }

func TestValidateOfTheWholeRunsBesideThatOfAPart(t *testing.T) {
	t.Parallel()
	_, err := config.Load[struct{ Outer outer }](config.Map(map[string]string{"POOL_SIZE": "1"}))
	for _, want := range []string{"POOL_IDLE is larger", "KEY is missing"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is missing in: %v", want, err)
		}
	}
	// A promoted method is asked for the part and for the whole: one mistake.
	_, err = config.Load[Promoted](config.Map(nil))
	var mistakes config.Mistakes
	if !errors.As(err, &mistakes) || len(mistakes) != 1 {
		t.Errorf("got %v", err)
	}
}
