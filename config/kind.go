package config

import (
	"encoding"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// kind is how a variable becomes a value of one type.
type kind struct {
	name   string // what --help calls it
	want   string // what a mistake says was expected; empty: the error says it
	secret bool
	quiet  bool // the value may hold a password: never show it
	parse  func(target reflect.Value, value string) error
}

// set parses value into target and returns what is wrong with it, if anything.
func (k kind) set(target reflect.Value, value string) (problem string) {
	err := k.parse(target, value)
	switch {
	case err == nil:
		return ""
	case k.secret || k.quiet: // err may quote the value
		return "is not usable; expected " + k.want
	case k.want == "":
		return fmt.Sprintf("is %s: %v", quote(value), err)
	default:
		return fmt.Sprintf("is %s; expected %s", quote(value), k.want)
	}
}

// quote shows enough of a value to recognise it, on one line.
func quote(value string) string {
	const most = 40
	if len(value) > most {
		return strconv.QuoteToASCII(value[:most]) + "…"
	}
	return strconv.QuoteToASCII(value)
}

// kindOf finds how to fill a t; false means that no variable can.
func kindOf(t reflect.Type) (kind, bool) {
	switch t {
	case reflect.TypeFor[time.Duration]():
		return kind{name: "duration", want: "a duration such as 250ms, 30s or 1h30m", parse: parseDuration}, true
	case reflect.TypeFor[url.URL]():
		return kind{name: "URL", want: "an absolute URL such as https://example.com", quiet: true, parse: parseURL}, true
	case reflect.TypeFor[Secret]():
		k := textKind("secret", "a secret")
		k.secret = true
		return k, true
	case reflect.TypeFor[Bytes]():
		return textKind("size", "a size such as 512, 64KiB or 10MB"), true
	case reflect.TypeFor[slog.Level]():
		return textKind("log level", "debug, info, warn or error"), true
	case reflect.TypeFor[netip.Prefix]():
		return textKind("IP prefix", "an IP prefix such as 10.0.0.0/8"), true
	case reflect.TypeFor[netip.Addr]():
		return textKind("IP address", "an IP address such as 127.0.0.1"), true
	case reflect.TypeFor[netip.AddrPort]():
		return textKind("IP address and port", "an IP address and port such as 127.0.0.1:8080"), true
	}
	if reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.TextUnmarshaler]()) {
		return textKind(strings.ToLower(t.Name()), ""), true
	}
	return basicKind(t)
}

// textKind fills a type that reads itself from text.
func textKind(name, want string) kind {
	return kind{name: name, want: want, parse: func(target reflect.Value, value string) error {
		return target.Addr().Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(value))
	}}
}

// basicKind fills the kinds that the language has.
func basicKind(t reflect.Type) (kind, bool) {
	switch t.Kind() {
	case reflect.String:
		if enum, ok := reflect.TypeAssert[interface{ Values() []string }](reflect.Zero(t)); ok {
			return oneOf(enum.Values()), true
		}
		return kind{name: "text", want: "a text", parse: func(target reflect.Value, value string) error {
			target.SetString(value)
			return nil
		}}, true
	case reflect.Bool:
		return kind{name: "bool", want: "true or false", parse: parseBool}, true
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		most := uint64(1)<<(t.Bits()-1) - 1
		want := fmt.Sprintf("a whole number from -%d to %d", most+1, most)
		return kind{name: "integer", want: want, parse: parseInt}, true
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		want := fmt.Sprintf("a whole number from 0 to %d", ^uint64(0)>>(64-t.Bits()))
		return kind{name: "integer", want: want, parse: parseUint}, true
	case reflect.Float32, reflect.Float64:
		return kind{name: "number", want: "a number such as 0.25", parse: parseFloat}, true
	case reflect.Pointer:
		return optional(t.Elem())
	case reflect.Slice:
		return listOf(t.Elem())
	}
	return kind{}, false
}

func oneOf(values []string) kind {
	return kind{
		name: strings.Join(values, " | "), want: "one of " + strings.Join(values, ", "),
		parse: func(target reflect.Value, value string) error {
			if !slices.Contains(values, value) {
				return errors.New("not in the list")
			}
			target.SetString(value)
			return nil
		},
	}
}

func optional(t reflect.Type) (kind, bool) {
	k, ok := kindOf(t)
	if !ok || t.Kind() == reflect.Pointer {
		return kind{}, false
	}
	inner := k.parse
	k.parse = func(target reflect.Value, value string) error {
		fresh := reflect.New(t)
		target.Set(fresh)
		return inner(fresh.Elem(), value)
	}
	return k, true
}

// listOf fills a slice from items between commas; spaces around them go.
func listOf(t reflect.Type) (kind, bool) {
	k, ok := kindOf(t)
	if !ok || t.Kind() == reflect.Slice {
		return kind{}, false
	}
	inner := k.parse
	k.name = "list of " + k.name
	if k.want != "" {
		k.want = "a comma-separated list, each item " + k.want
	}
	k.parse = func(target reflect.Value, value string) error {
		items := reflect.MakeSlice(target.Type(), 0, 4)
		for item := range strings.SplitSeq(value, ",") {
			item = strings.TrimSpace(item)
			if item == "" {
				return errors.New("an item is empty")
			}
			one := reflect.New(t).Elem()
			if err := inner(one, item); err != nil {
				return err
			}
			items = reflect.Append(items, one)
		}
		target.Set(items)
		return nil
	}
	return k, true
}

func parseDuration(target reflect.Value, value string) error {
	d, err := time.ParseDuration(value)
	target.SetInt(int64(d))
	return err
}

func parseURL(target reflect.Value, value string) error {
	u, err := url.Parse(value)
	if err != nil {
		return err
	}
	if u.Scheme == "" || u.Host == "" {
		return errors.New("relative")
	}
	target.Set(reflect.ValueOf(*u))
	return nil
}

func parseBool(target reflect.Value, value string) error {
	b, err := strconv.ParseBool(value)
	target.SetBool(b)
	return err
}

func parseInt(target reflect.Value, value string) error {
	n, err := strconv.ParseInt(value, 10, target.Type().Bits())
	target.SetInt(n)
	return err
}

func parseUint(target reflect.Value, value string) error {
	n, err := strconv.ParseUint(value, 10, target.Type().Bits())
	target.SetUint(n)
	return err
}

func parseFloat(target reflect.Value, value string) error {
	f, err := strconv.ParseFloat(value, target.Type().Bits())
	if err == nil && f-f != 0 {
		return errors.New("not finite")
	}
	target.SetFloat(f)
	return err
}
