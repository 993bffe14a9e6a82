package op

import (
	"encoding"
	"net/http"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/ashlar-go/ashlar/rule"
)

// Keeping says how the server keeps the answers of a [Query]; see [Keep].
type Keeping struct {
	// TTL is how long an answer is kept. Renew is how much longer it is given
	// while it is made anew, OnError how much longer while that fails, and
	// Missing how long it is kept that there is nothing: a fault of status 404.
	TTL, Renew, OnError, Missing time.Duration
	// For says whose requests get one answer together.
	For Audience
	// Tags name what an answer is made of.
	Tags Tagging
	// Until are the topics whose events end an answer; see [Until]. For each
	// of them Tags has one that [EventTag] makes.
	Until []string
}

// Audience says whose requests get one answer together.
type Audience uint8

// An answer is for one principal, for all of an account, or for everyone.
const (
	ForPrincipal Audience = iota
	ForAccount
	ForEveryone
)

func (a Audience) String() string { return [...]string{"principal", "account", "everyone"}[a] }

// Cache lets the caller's own cache keep an answer for d; zero means to keep
// it and ask each time whether it still holds. Answers carry an ETag either
// way, those of a [File] aside, and a request whose If-None-Match names it gets
// 304. Answers are private to the principal and never kept by a shared cache.
//
// With [Keep] the server keeps answers too:
//
//	op.Cache(0, op.Keep(time.Minute), op.Tags("payment/{id}"))
func Cache(d time.Duration, options ...CacheOption) QueryOption {
	return queryOption(func(s *Spec) {
		if d < 0 {
			s.mistake("Cache(%v) is in the past", d)
		}
		s.Cached, s.CacheFor = true, d
		k := Keeping{TTL: -1}
		for _, o := range options {
			if o != nil {
				o(s, &k)
			}
		}
		if len(options) == 0 {
			return
		}
		if k.TTL == -1 {
			s.mistake("Cache says how answers are kept by the server, but not for how long; add op.Keep")
			return
		}
		s.Keep = &k
	})
}

// A CacheOption says something about a [Cache].
type CacheOption func(*Spec, *Keeping)

// Keep has the server keep answers for ttl, or until one of its tags is
// invalidated: see [Tags]. Requests with the same input get them without
// the operation's function being run, after everything else of a request:
// whoever may not call, or calls too often, gets what he would have got.
//
// Each principal has answers of its own, and after its permissions have
// changed others. The function runs once for all who ask at the same time. Its
// context tells it the principal, the trace and the deadline, and nothing of
// the one request: neither where that came from nor what handlers in front
// have put into it.
func Keep(ttl time.Duration) CacheOption {
	return func(s *Spec, k *Keeping) {
		if ttl <= 0 {
			s.mistake("Keep(%v) keeps nothing", ttl)
		}
		k.TTL = max(ttl, 0)
	}
}

// Tags names what an answer is made of: texts with {members} of the input,
// "payment/{id}". An answer is dropped when one of them is invalidated, by a
// command with [Invalidates] or by the app's cache. The function can add more
// with cache.Tag.
func Tags(tags ...string) CacheOption {
	return func(s *Spec, k *Keeping) {
		if len(tags) == 0 {
			s.mistake("Tags names no tag")
		}
		k.Tags = append(k.Tags, tagsOf(s, "Tags", tags)...)
	}
}

// Until drops an answer at each event of a topic, or of all topics that begin
// alike ("payment.*"), whose key is a text with {members} of the input. It
// happens when the event's transaction commits, on every instance, as with
// [Invalidates], and costs a write that tells of itself anyway nothing more.
//
//	op.Cache(0, op.Keep(time.Minute), op.Until("payment.*", "{id}"))
func Until(topic, key string) CacheOption {
	return func(s *Spec, k *Keeping) {
		if !topicForm.MatchString(topic) {
			s.mistake("Until(%q) is no topic, such as %q, and no beginning of topics, such as %q", topic, "payment.captured", "payment.*")
			return
		}
		if key == "" {
			s.mistake("Until(%q) needs the key of the events, such as %q", topic, "{id}")
			return
		}
		k.Tags = append(k.Tags, tagsOf(s, "Until", []string{EventTag(topic, key)})...)
		k.Until = append(k.Until, topic)
	}
}

// topicForm is a topic, or the beginning of topics.
var topicForm = regexp.MustCompile(`^[a-z][a-z0-9_-]*(\.[a-z][a-z0-9_-]*)*(\.\*)?$`)

// EventTag is the tag of the answers that [Until] drops at events with a key.
func EventTag(topic, key string) string { return topic + "/" + key }

// OneForAccount gives all principals of an account who may do the same one
// answer together. The function is told the account and what they may, and not
// who asks.
func OneForAccount() CacheOption { return audience(ForAccount) }

// OneForEveryone gives all who may call one answer together. The function is
// not told who asks. A [Public] operation keeps no other answers.
func OneForEveryone() CacheOption { return audience(ForEveryone) }

func audience(a Audience) CacheOption {
	return func(s *Spec, k *Keeping) {
		if k.For != ForPrincipal {
			s.mistake("Cache says twice for whom an answer is; use one of OneForAccount and OneForEveryone")
		}
		k.For = a
	}
}

// Renew gives an answer for up to d longer than it is kept, while one request
// has it made anew in the background.
func Renew(d time.Duration) CacheOption {
	return longer("Renew", d, func(k *Keeping) { k.Renew = d })
}

// OnError gives an answer for up to d longer than it is kept, if it cannot be
// made anew: the function fails with anything but a fault below 500. An answer
// that is known to be invalidated is never given.
func OnError(d time.Duration) CacheOption {
	return longer("OnError", d, func(k *Keeping) { k.OnError = d })
}

// Missing keeps for d that there is nothing: a declared fault of status 404.
// Who makes the thing must invalidate the tag of this answer too.
func Missing(d time.Duration) CacheOption {
	return longer("Missing", d, func(k *Keeping) { k.Missing = d })
}

func longer(name string, d time.Duration, set func(*Keeping)) CacheOption {
	return func(s *Spec, k *Keeping) {
		if d <= 0 {
			s.mistake("%s(%v) has no effect", name, d)
		}
		set(k)
	}
}

// Invalidates drops the kept answers, and everything else in the app's cache,
// that have one of the tags, texts with {members} of the input. It happens in
// the command's own transactions, on every instance, and not if they are
// rolled back. A command without a transaction does it once it has succeeded.
func Invalidates(tags ...string) CommandOption {
	return commandOption(func(s *Spec) {
		if len(tags) == 0 {
			s.mistake("Invalidates names no tag")
		}
		s.Invalidates = append(s.Invalidates, tagsOf(s, "Invalidates", tags)...)
	})
}

// Tagging is compiled texts with {members} of an input.
type Tagging []tag

type tag struct {
	text   string // as declared
	pieces []string
	fields [][]int // between the pieces
}

// Of returns the tags for an input, given as a pointer to it.
func (t Tagging) Of(in any) ([]string, error) {
	all := make([]string, 0, len(t))
	v := reflect.ValueOf(in).Elem()
	for i := range t {
		text, err := t[i].of(v)
		if err != nil {
			return nil, err
		}
		all = append(all, text)
	}
	return all, nil
}

// String returns the tags as they were declared.
func (t Tagging) String() string {
	var all []string
	for i := range t {
		all = append(all, t[i].text)
	}
	return strings.Join(all, " ")
}

func (t *tag) of(in reflect.Value) (string, error) {
	var b strings.Builder
	for i, piece := range t.pieces {
		b.WriteString(piece)
		if i == len(t.fields) {
			break
		}
		text, err := textOf(in.FieldByIndex(t.fields[i]))
		if err != nil {
			return "", err
		}
		b.WriteString(text)
	}
	return b.String(), nil
}

// textOf is the text of a value that named admits.
func textOf(v reflect.Value) (string, error) {
	if m, ok := reflect.TypeAssert[encoding.TextMarshaler](v.Addr()); ok {
		text, err := m.MarshalText()
		return string(text), err
	}
	switch {
	case v.CanInt():
		return strconv.FormatInt(v.Int(), 10), nil
	case v.CanUint():
		return strconv.FormatUint(v.Uint(), 10), nil
	default:
		return v.String(), nil
	}
}

// maxTags bounds the tags of one declaration; a cache has its own bound.
const maxTags = 16

// tagsOf compiles what was declared.
func tagsOf(s *Spec, option string, texts []string) Tagging {
	if len(texts) > maxTags {
		s.mistake("%s names %d tags; %d are the most", option, len(texts), maxTags)
		return nil
	}
	var all Tagging
	for _, text := range texts {
		t := tag{text: text}
		rest := text
		for {
			before, after, found := strings.Cut(rest, "{")
			t.pieces = append(t.pieces, before)
			if !found {
				break
			}
			name, behind, closed := strings.Cut(after, "}")
			var f *rule.Field
			if s.In != nil {
				f = s.In.Object.Field(name)
			}
			switch {
			case s.In == nil: // already refused
				return nil
			case !closed || f == nil || !named(f.Type) || f.Wrap != rule.Plain:
				s.mistake("%s %q names {%s}, which is no text or whole number that the input always has", option, text, name)
				return all
			case f.Type.Secret:
				s.mistake("%s %q names {%s}, a secret, which would be written down with the tag", option, text, name)
				return all
			}
			t.fields = append(t.fields, f.Index)
			rest = behind
		}
		if text == "" || strings.Contains(strings.Join(t.pieces, ""), "}") || len(text) > maxTagText {
			s.mistake("%s %q is not of the form %q", option, text, "payment/{id}")
			continue
		}
		all = append(all, t)
	}
	return all
}

// maxTagText bounds a tag as it is declared.
const maxTagText = 128

// checkKeeping finds what the options of a cache cannot see.
func (s *Spec) checkKeeping() {
	if s.SetsCookies && s.Cached {
		s.mistake("Cache would keep an answer that sets a cookie")
	}
	k := s.Keep
	if k == nil {
		return
	}
	if s.Returns == FileBytes {
		s.mistake("Keep cannot keep a File, which is read once; keep its bytes in the app's cache")
	}
	switch {
	case s.Access == ByEveryone && k.For == ForPrincipal:
		s.mistake("Keep gives each principal its own answer, and a Public operation knows none; add op.OneForEveryone if all may get the same")
	case s.Access == ByEveryone && k.For == ForAccount:
		s.mistake("OneForAccount says nothing for a Public operation, which knows no account")
	}
	if k.Missing > 0 && !s.fails404() {
		s.mistake("Missing keeps a fault of status 404, and Fails lists none")
	}
}

func (s *Spec) fails404() bool {
	for _, f := range s.Fails {
		if f.Status() == http.StatusNotFound {
			return true
		}
	}
	return false
}
