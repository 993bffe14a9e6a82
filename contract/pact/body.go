package pact

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
)

// A body is what a pact says of a body or of a message's contents.
type body struct {
	said  bool   // without it, any body will do
	null  bool   // there is to be none
	isSet bool   // value is the body: it is JSON
	value any    // decoded
	text  []byte // of a body that is not JSON
	media string // its type, or ""
}

// bodyOf reads a body as versions 1 to 3 write it: JSON stands as it is, all
// else as a text.
func bodyOf(raw json.RawMessage, media string) (body, error) {
	b := body{said: len(raw) > 0, media: media}
	if !b.said {
		return b, nil
	}
	value, err := decode(raw)
	if err != nil {
		return b, err
	}
	b.take(value)
	return b, nil
}

func (b *body) take(value any) {
	text, isText := value.(string)
	switch {
	case value == nil:
		b.null = true
	case !isText:
		b.isSet, b.value = true, value
	case isJSON(b.media) && strings.HasPrefix(text, "{") || isJSON(b.media) && strings.HasPrefix(text, "["):
		inside, err := decode([]byte(text))
		b.isSet, b.value = true, inside
		if err != nil {
			b.value = text
		}
	case isJSON(b.media) && text != "":
		b.isSet, b.value = true, text
	default:
		b.text = []byte(text)
	}
}

// contentsOf reads a body as version 4 writes it: with its type and how it is
// encoded.
func contentsOf(raw json.RawMessage, media string) (body, error) {
	b := body{media: media}
	if len(raw) == 0 {
		return b, nil
	}
	if raw[0] != '{' && raw[0] != 'n' { // as before version 4
		return bodyOf(raw, media)
	}
	if string(raw) == "null" {
		return body{said: true, null: true, media: media}, nil
	}
	var in struct {
		Content  json.RawMessage `json:"content"`
		Type     string          `json:"contentType"`
		Encoded  any             `json:"encoded"`
		Contents json.RawMessage `json:"contents"`
	}
	if err := json.Unmarshal(raw, &in); err != nil {
		return b, fmt.Errorf("a body: %w", err)
	}
	b.media = first(in.Type, media)
	if len(in.Content) == 0 {
		return b, nil
	}
	b.said = true
	value, err := decode(in.Content)
	if err != nil {
		return b, err
	}
	text, isText := value.(string)
	switch encoded := strings.ToLower(fmt.Sprint(in.Encoded)); {
	case encoded == "<nil>" || encoded == "false":
		b.take(value)
	case encoded == "json" && isText:
		b.value, err = decode([]byte(text))
		b.isSet = true
		return b, err
	case (encoded == "base64" || encoded == "true") && isText:
		if b.text, err = base64.StdEncoding.DecodeString(text); err != nil {
			return b, fmt.Errorf("a body in base64: %w", err)
		}
		if isJSON(b.media) {
			b.value, err = decode(b.text)
			b.isSet = true
		}
		return b, err
	default:
		return b, fmt.Errorf("a body encoded as %q: %w", encoded, ErrUnsupported)
	}
	return b, nil
}

// bytes is the body as it is sent.
func (b *body) bytes() []byte {
	if !b.isSet {
		return b.text
	}
	text, err := json.Marshal(b.value)
	if err != nil {
		return nil // it was decoded from JSON
	}
	return text
}

// kind is the type of the body: as it is declared, or as it looks.
func (b *body) kind() string {
	switch {
	case b.media != "":
		return b.media
	case b.isSet:
		return "application/json"
	case bytes.HasPrefix(bytes.TrimSpace(b.text), []byte("<")):
		return "application/xml"
	}
	return "text/plain"
}

// check reports what this package cannot compare.
func (b *body) check(rules bodyRules) error {
	if !b.said || b.null || b.isSet || len(b.text) == 0 {
		return nil
	}
	switch kind, _, _ := mime.ParseMediaType(b.kind()); {
	case kind == "text/xml" || kind == "application/xml" || strings.HasSuffix(kind, "+xml"):
		return fmt.Errorf("a body of XML: %w", ErrUnsupported)
	case strings.HasPrefix(kind, "multipart/"):
		return fmt.Errorf("a body of %s: %w", kind, ErrUnsupported)
	}
	for _, r := range rules {
		if len(r.at) > 0 {
			return fmt.Errorf("a matcher at %s in a body of %s: %w", r.at, b.kind(), ErrUnsupported)
		}
	}
	return nil
}

// compare holds got against the body. Rules at $ hold for a text as a whole.
func (b *body) compare(c *comparison, got []byte, media string) {
	root, _ := c.rules.best(nil)
	switch {
	case !b.said:
	case b.null:
		if len(got) > 0 && string(bytes.TrimSpace(got)) != "null" {
			c.miss(nil, nil, "no body", c.plain(got, media))
		}
	case root != nil && len(root.all) == 1 && root.all[0].name == "contentType":
		m := &root.all[0]
		if kind := sniffed(got); !sameMedia(m.text, kind) {
			c.miss(nil, m, "content of the type "+m.text, kind)
		}
	case b.isSet:
		value, err := decode(got)
		if err != nil {
			if len(got) == 0 {
				c.miss(nil, nil, "a body of JSON", missing{})
				return
			}
			c.found = append(c.found, Mismatch{Part: c.part, Want: "a body of JSON", Got: strconv.Itoa(len(got)) + " bytes that are not"})
			return
		}
		c.value(nil, b.value, value)
	case root != nil:
		c.written = true
		c.apply(root, false, nil, string(b.text), string(got))
	case !bytes.Equal(b.text, got):
		c.miss(nil, nil, c.shown(nil, string(b.text)), c.plain(got, media))
	}
}

// plain is a body to be shown: decoded, where it is JSON, so that its secrets
// are seen.
func (c *comparison) plain(got []byte, media string) any {
	if len(got) == 0 {
		return missing{}
	}
	if value, err := decode(got); err == nil && (isJSON(media) || media == "") {
		return value
	}
	return string(got)
}

// sniffed is the type that content looks like.
func sniffed(content []byte) string {
	if json.Valid(content) {
		return "application/json"
	}
	return http.DetectContentType(content)
}

func sameMedia(a, b string) bool {
	a, _, errA := mime.ParseMediaType(a)
	b, _, errB := mime.ParseMediaType(b)
	return errA == nil && errB == nil && a == b
}

func isJSON(media string) bool {
	kind, _, err := mime.ParseMediaType(media)
	return err == nil && (kind == "application/json" || strings.HasSuffix(kind, "+json"))
}

// decode reads one JSON value, with its numbers as they are written.
func decode(text []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something follows the JSON value")
	}
	return v, nil
}
