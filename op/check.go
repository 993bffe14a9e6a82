package op

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/ashlar-go/ashlar/rule"
)

// nameForm is what an operation's name looks like: "health", "payments.get".
var nameForm = regexp.MustCompile(`^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*$`)

// A Mistake is something wrong with a declaration.
type Mistake struct {
	// Operation is the operation's name and Source the file and line of its
	// declaration.
	Operation, Source string
	Err               error
}

func (m Mistake) Error() string { return fmt.Sprintf("%s: %s: %v", m.Source, m.Operation, m.Err) }

// Unwrap returns what is wrong.
func (m Mistake) Unwrap() error { return m.Err }

func (s *Spec) mistake(format string, args ...any) {
	s.errs = append(s.errs, s.mistakef(format, args...))
}

func (s *Spec) mistakef(format string, args ...any) error {
	return Mistake{cmp.Or(s.Name, "unnamed operation"), s.Source, fmt.Errorf(format, args...)}
}

// Mistakef returns a mistake of the operation's declaration, for whoever
// derives something from it and finds that it cannot.
func (o Operation) Mistakef(format string, args ...any) error {
	return o.spec.mistakef(format, args...)
}

// Check returns every mistake in the declarations at once, each with its file
// and line: operations that do not say who may call them, names used twice,
// routes that conflict or whose fields the input lacks, rules that do not hold
// water.
func Check(operations []Operation) error {
	var errs []error
	first := map[string]*Spec{}
	var routes router
	for _, o := range operations {
		s := o.spec
		if s == nil {
			errs = append(errs, errors.New("an operation is the zero Operation; declare it with op.Query, op.Command or op.Stream"))
			continue
		}
		errs = append(errs, s.errs...)
		if twin, taken := first[s.Name]; taken {
			errs = append(errs, o.Mistakef("the name is already taken by the operation at %s", twin.Source))
		}
		first[s.Name] = s
		if s.routed {
			if err := routes.add(s); err != nil {
				errs = append(errs, o.Mistakef("%w", err))
			}
		}
	}
	return errors.Join(append(errs, checkShared(operations, first)...)...)
}

// finish makes the checks that need the whole declaration.
func (s *Spec) finish() Operation {
	s.rank()
	if !nameForm.MatchString(s.Name) {
		s.mistake("name %q is not of the form %q", s.Name, "payments.capture")
	}
	if s.Access == Undeclared {
		s.mistake("does not say who may call it; add op.Allow, op.Authenticated or op.Public")
	}
	s.checkRoute()
	if s.In != nil {
		s.checkPath()
		s.checkQuery()
	}
	if s.Location != "" {
		s.checkLocation()
	}
	if s.Match != NoMatch && !s.Tagged {
		s.mistake("IfMatch needs an answer with an ETag() string method")
	}
	if s.Recognizes && s.Access != ByEveryone && s.Access != Undeclared {
		s.mistake("Recognized is for Public; others know who asks anyway")
	}
	if s.IgnoresBody && s.In != nil && len(s.PathFields) < len(s.In.Object.Fields) {
		s.mistake("IgnoreBody leaves out what the input %s has beside the path", s.In.Go)
	}
	if s.KeyOptional && s.Idempotent == 0 {
		s.mistake("OptionalKey says nothing without Idempotent")
	}
	if s.Returns == Nothing && s.Status != http.StatusNoContent {
		s.mistake("answers %d without a body; give it an answer type", s.Status)
	}
	if len(s.Media) > 0 && s.Returns != FileBytes {
		s.mistake("Media says of which types a File is, and the answer is none")
	}
	s.checkKeeping()
	s.checkStale()
	s.checkIdempotent()
	s.checkStream()
	s.checkQuotas()
	return Operation{s}
}

func (s *Spec) checkIdempotent() {
	if s.Idempotent == 0 {
		return
	}
	if s.Returns == FileBytes {
		s.mistake("Idempotent cannot keep a File for a retry; answer with JSON")
	}
	if s.SetsCookies {
		s.mistake("Idempotent cannot keep cookies for a retry; they are secrets")
	}
	if s.Access == ByEveryone {
		s.mistake("Idempotent needs to know who asks, or one caller's key gets another's answer; it cannot be Public")
	}
}

// wildcard finds the {fields} of a path.
var wildcard = regexp.MustCompile(`\{([^{}]*)\}`)

func (s *Spec) checkPath() {
	for _, m := range wildcard.FindAllStringSubmatch(s.Path, -1) {
		name := m[1]
		switch f := s.In.Object.Field(name); {
		case name == "$" || strings.HasSuffix(name, "..."):
			s.mistake("path %s: {%s} is not supported; an operation has one exact path", s.Path, name)
		case f == nil:
			s.mistake("path %s names {%s}, which the input %s has no field for", s.Path, name, s.In.Go)
		case !scalar(f.Type) || f.Wrap != rule.Plain:
			s.mistake("path field {%s} is a %s; only plain texts, numbers, booleans and times can stand in a path", name, f.Type.Go)
		case slices.Contains(s.PathFields, name):
			s.mistake("path %s names {%s} twice", s.Path, name)
		default:
			s.PathFields = append(s.PathFields, name)
		}
	}
}

func (s *Spec) checkQuery() {
	if s.Kind == IsCommand {
		return
	}
	for _, f := range s.In.Object.Fields {
		t := f.Type
		if t.Kind == rule.List {
			t = t.Elem
		}
		if !slices.Contains(s.PathFields, f.Name) && !scalar(t) {
			s.mistake("field %s is a %s, which a query string cannot hold", f.Name, f.Type.Go)
		}
	}
}

func (s *Spec) checkLocation() {
	if s.Out == nil || s.Out.Kind != rule.Object {
		s.mistake("Location %s needs an answer with fields", s.Location)
		return
	}
	if !strings.HasPrefix(s.Location, "/") || strings.ContainsAny(wildcard.ReplaceAllString(s.Location, ""), "{}") {
		s.mistake("Location %q is not of the form %q", s.Location, "/payments/{id}")
	}
	for _, m := range wildcard.FindAllStringSubmatch(s.Location, -1) {
		if f := s.Out.Object.Field(m[1]); f == nil || !named(f.Type) || f.Wrap != rule.Plain {
			s.mistake("Location %s names {%s}, which is no text or whole number that the answer %s always has", s.Location, m[1], s.Out.Go)
		}
	}
}

// named reports whether a value can name a thing in a path.
func named(t *rule.Type) bool {
	switch t.Kind {
	case rule.Int, rule.Uint, rule.String:
		return true
	case rule.Any:
		return writesText(t.Go)
	default:
		return false
	}
}

// scalar reports whether one text in a path or query can hold a value.
func scalar(t *rule.Type) bool {
	switch t.Kind {
	case rule.Bool, rule.Int, rule.Uint, rule.Float, rule.String, rule.Time:
		return true
	case rule.Any:
		return readsText(t.Go)
	default:
		return false
	}
}
