package contract

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// An Acknowledgement says that a breaking change is meant.
type Acknowledgement struct {
	// ID is that of the change. A star in place of the operation stands for
	// every operation, as in "* field-removed 200/amount": a type that many
	// answer with is one decision.
	ID string `json:"id"`
	// Reason is why consumers can live with it. It is required.
	Reason string `json:"reason"`
	// Date is when it was decided, and Until when it has to be decided again;
	// empty means that it holds. Both are days: 2026-11-29.
	Date  string `json:"date"`
	Until string `json:"until,omitempty"`
}

// ReadAcknowledgements reads the file of them:
//
//	{"acknowledged": [{"id": "…", "reason": "…", "date": "2026-11-29"}]}
//
// All mistakes in it are reported together.
func ReadAcknowledgements(text []byte) ([]Acknowledgement, error) {
	var in struct {
		Acknowledged []Acknowledgement `json:"acknowledged"`
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&in); err != nil {
		return nil, fmt.Errorf("acknowledgements: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("acknowledgements: something follows them")
	}
	var errs []error
	seen := map[string]bool{}
	for i, a := range in.Acknowledged {
		errs = append(errs, a.check(i, seen[a.ID]))
		seen[a.ID] = true
	}
	return in.Acknowledged, errors.Join(errs...)
}

func (a Acknowledgement) check(i int, twice bool) error {
	var says []string
	if a.ID == "" {
		says = append(says, "it has no id")
	}
	if twice {
		says = append(says, "its id is there twice")
	}
	if strings.TrimSpace(a.Reason) == "" {
		says = append(says, "it has no reason")
	}
	if _, err := time.Parse(time.DateOnly, a.Date); err != nil {
		says = append(says, "its date is no day such as 2026-11-29")
	}
	if _, err := time.Parse(time.DateOnly, a.Until); a.Until != "" && err != nil {
		says = append(says, "its until is no day such as 2026-11-29")
	}
	if says == nil {
		return nil
	}
	return fmt.Errorf("acknowledgement %d (%s): %s", i+1, a.ID, strings.Join(says, ", "))
}

// WriteAcknowledgements writes the file of them, one a line of three, in the
// order of their ids.
func WriteAcknowledgements(all []Acknowledgement) ([]byte, error) {
	all = slices.Clone(all)
	slices.SortFunc(all, func(a, b Acknowledgement) int { return strings.Compare(a.ID, b.ID) })
	if all == nil {
		all = []Acknowledgement{}
	}
	text, err := json.MarshalIndent(map[string]any{"acknowledged": all}, "", "\t")
	return append(text, '\n'), err
}

// covers reports whether a is about the change.
func (a Acknowledgement) covers(c Change) bool {
	if kind, every := strings.CutPrefix(a.ID, "* "); every {
		return kind == strings.TrimSpace(c.Kind+" "+c.Place)
	}
	return a.ID == c.ID()
}

// over reports whether the decision has to be made again.
func (a Acknowledgement) over(now time.Time) bool {
	until, err := time.Parse(time.DateOnly, a.Until)
	return err == nil && now.After(until.AddDate(0, 0, 1))
}

// A Report is what a check found.
type Report struct {
	Findings []Finding
	Stale    []Acknowledgement // of changes that there are not
}

// A Finding is a change, and the acknowledgement of it if there is one.
type Finding struct {
	Change

	Acknowledged *Acknowledgement
	Over         bool // the acknowledgement has ended
}

// Check compares two documents and looks for the acknowledgement of each
// breaking change.
func Check(baseline, current []byte, acknowledged []Acknowledgement, now time.Time) (Report, error) {
	changes, err := Compare(baseline, current, now)
	if err != nil {
		return Report{}, err
	}
	return Judge(changes, acknowledged, now), nil
}

// Judge looks for the acknowledgement of each breaking change.
func Judge(changes []Change, acknowledged []Acknowledgement, now time.Time) Report {
	var r Report
	used := make([]bool, len(acknowledged))
	for _, c := range changes {
		f := Finding{Change: c}
		for i := range acknowledged {
			if c.Breaking && acknowledged[i].covers(c) {
				f.Acknowledged, f.Over, used[i] = &acknowledged[i], acknowledged[i].over(now), true
			}
		}
		r.Findings = append(r.Findings, f)
	}
	for i, a := range acknowledged {
		if !used[i] {
			r.Stale = append(r.Stale, a)
		}
	}
	return r
}

// Broken returns the breaking changes that nobody has acknowledged, or not for
// now.
func (r Report) Broken() []Finding {
	return slices.DeleteFunc(slices.Clone(r.Findings), func(f Finding) bool {
		return !f.Breaking || f.Acknowledged != nil && !f.Over
	})
}

// String is the report for people: what breaks, what was acknowledged, and
// what else there is.
func (r Report) String() string {
	var b strings.Builder
	for _, f := range r.Broken() {
		fmt.Fprintf(&b, "BREAKING %s\n", f.Change)
		if f.Over {
			fmt.Fprintf(&b, "\tacknowledged until %s, which is over: %s\n", f.Acknowledged.Until, f.Acknowledged.Reason)
		} else {
			fmt.Fprintf(&b, "\tacknowledge as: %s\n", f.ID())
		}
	}
	for _, f := range r.Findings {
		if f.Acknowledged != nil && !f.Over {
			fmt.Fprintf(&b, "acknowledged %s\n\tsince %s: %s\n", f.Change, f.Acknowledged.Date, f.Acknowledged.Reason)
		}
	}
	for _, f := range r.Findings {
		if !f.Breaking {
			fmt.Fprintf(&b, "fine %s\n", f.Change)
		}
	}
	for _, a := range r.Stale {
		fmt.Fprintf(&b, "stale acknowledgement: there is no %s any more\n", a.ID)
	}
	return b.String()
}
