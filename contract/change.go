package contract

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// A Change is one difference between two documents that a consumer can see.
type Change struct {
	// Operation is the operation's name, as in "payments.get".
	Operation string
	// Kind names the sort of change, as in "field-removed".
	Kind string
	// Place is where in the operation, as in "200/amount". It may be empty.
	Place string
	// What changed, and the Effect for those who call, in words.
	What, Effect string
	// Breaking says that a consumer which was right before may fail now.
	Breaking bool
}

// ID names the change in an acknowledgement. It does not depend on the order
// of anything.
func (c Change) ID() string {
	return strings.TrimSpace(c.Operation + " " + c.Kind + " " + c.Place)
}

// String is the change in one line, and its effect in another.
func (c Change) String() string { return c.Operation + ": " + c.What + "\n\t" + c.Effect }

// Compare returns the changes from one document to another, breaking ones
// first. Now decides whether the Sunset of an operation that is gone has
// passed.
func Compare(before, after []byte, now time.Time) ([]Change, error) {
	old, err := parse(before)
	if err != nil {
		return nil, fmt.Errorf("the document before: %w", err)
	}
	recent, err := parse(after)
	if err != nil {
		return nil, fmt.Errorf("the document after: %w", err)
	}
	c := comparison{now: now}
	c.operations(old.operations(), recent.operations())
	slices.SortStableFunc(c.found, func(a, b Change) int {
		switch {
		case a.Breaking == b.Breaking:
			return strings.Compare(a.ID(), b.ID())
		case a.Breaking:
			return -1
		}
		return 1
	})
	return slices.CompactFunc(c.found, func(a, b Change) bool { return a.ID() == b.ID() && a.What == b.What }), nil
}

// A comparison collects changes.
type comparison struct {
	now    time.Time
	before *operation
	after  *operation
	found  []Change
}

func (c *comparison) note(breaking bool, kind, place, what, effect string) {
	c.found = append(c.found, Change{Operation: c.before.label(), Kind: kind, Place: place, What: what, Effect: effect, Breaking: breaking})
}

func (c *comparison) breaks(kind, place, what, effect string) {
	c.note(true, kind, place, what, effect)
}

func (c *comparison) tells(kind, place, what, effect string) {
	c.note(false, kind, place, what, effect)
}

// operations pairs what answers at the same route, then what has the same
// name.
func (c *comparison) operations(before, after []*operation) {
	left := slices.Clone(after)
	take := func(fits func(*operation) bool) *operation {
		i := slices.IndexFunc(left, fits)
		if i < 0 {
			return nil
		}
		o := left[i]
		left = slices.Delete(left, i, i+1)
		return o
	}
	var gone []*operation
	for _, o := range before {
		if same := take(func(a *operation) bool { return a.String() == o.String() }); same != nil {
			c.pair(o, same)
		} else {
			gone = append(gone, o)
		}
	}
	for _, o := range gone {
		if moved := take(func(a *operation) bool { return o.name != "" && a.name == o.name }); moved != nil {
			c.moved(o, moved)
			continue
		}
		c.before = o
		c.removed(o)
	}
	for _, o := range left {
		c.before = o
		c.tells("operation-added", "", o.String()+" is new", "nobody called it before")
	}
}

func (c *comparison) moved(before, after *operation) {
	c.before, c.after = before, after
	if before.method == after.method && anonymous(before.path) == anonymous(after.path) {
		c.tells("path-parameter-renamed", "", "a path parameter has another name: "+after.path, "requests are the same; generated clients name the argument anew")
	} else {
		c.breaks("operation-moved", "", fmt.Sprintf("it has moved from %s to %s", before, after), "requests to the old address are answered with 404 or 405")
	}
	c.inside()
}

// anonymous is a path without the names of its parameters.
func anonymous(path string) string { return hole.ReplaceAllString(path, "{}") }

// removed judges an operation that is gone by what was announced.
func (c *comparison) removed(o *operation) {
	effect := "its callers get 404 or 405"
	switch sunset, announced := o.sunset(); {
	case announced && !sunset.After(c.now):
		c.tells("operation-removed", "", o.String()+" is gone, as its Sunset said since "+sunset.Format(time.DateOnly), effect)
	case announced:
		c.breaks("operation-removed", "", o.String()+" is gone before its Sunset on "+sunset.Format(time.DateOnly), effect)
	case o.node["deprecated"] == true:
		c.breaks("operation-removed", "", o.String()+" is gone; it was deprecated, but no Sunset was announced", effect)
	default:
		c.breaks("operation-removed", "", o.String()+" is gone", effect)
	}
}

func (o *operation) sunset() (time.Time, bool) {
	text, _ := o.node["x-sunset"].(string)
	at, err := time.Parse(time.RFC3339, text)
	return at, err == nil
}

// pair compares two operations at one route.
func (c *comparison) pair(before, after *operation) {
	c.before, c.after = before, after
	if before.name != after.name {
		c.breaks("operation-renamed", "", fmt.Sprintf("it is called %q now", after.name), "generated clients and GraphQL call it by another name; metrics and logs of it too")
	}
	c.inside()
}

// inside compares everything below the route.
func (c *comparison) inside() {
	c.lifetime()
	c.access()
	c.limits()
	c.parameters()
	c.body()
	c.responses()
}

func (c *comparison) lifetime() {
	was, had := c.before.sunset()
	is, has := c.after.sunset()
	switch {
	case has && had && is.Before(was):
		c.breaks("sunset-sooner", "", fmt.Sprintf("its Sunset is %s, no longer %s", is.Format(time.DateOnly), was.Format(time.DateOnly)), "callers have less time to move on than they were told")
	case has && !had:
		c.tells("sunset-announced", "", "it will be gone on "+is.Format(time.DateOnly), "callers should move on until then")
	case had && !has:
		c.tells("sunset-withdrawn", "", "it has no Sunset any more", "callers may stay")
	}
	if was, is := c.before.node["deprecated"] == true, c.after.node["deprecated"] == true; is && !was {
		c.tells("deprecated", "", "it is deprecated", "callers see a Deprecation header, and should move on")
	}
}

// access compares who may call.
func (c *comparison) access() {
	open := func(o *operation) bool {
		security, said := o.node["security"].([]any)
		return said && len(security) == 0
	}
	switch was, is := open(c.before), open(c.after); {
	case was && !is:
		c.breaks("access-closed", "", "it needs credentials now", "callers without any get 401")
	case is && !was:
		c.tells("access-opened", "", "it needs no credentials any more", "everybody may call it")
	}
	was, is := list(c.before.node["x-permissions"]), list(c.after.node["x-permissions"])
	for _, p := range is {
		if !slices.Contains(was, p) {
			c.breaks("permission-added", p, "it needs the permission "+p+" now", "callers that have not been granted it get 403")
		}
	}
	for _, p := range was {
		if !slices.Contains(is, p) {
			c.tells("permission-removed", p, "it does not need the permission "+p+" any more", "more callers may call it")
		}
	}
}

// limits compares how often it may be called: x-limits has for each key the
// requests, the time in which so many recover, and how many may come at once.
func (c *comparison) limits() {
	type limit struct {
		requests, seconds, burst float64
		text                     string
	}
	read := func(o *operation) map[string]limit {
		out := map[string]limit{}
		all, _ := o.node["x-limits"].([]any)
		for _, one := range all {
			n, _ := one.(node)
			l := limit{figure(n["requests"]), figure(n["seconds"]), figure(n["burst"]), ""}
			l.text = fmt.Sprintf("%v requests in %v s", n["requests"], n["seconds"])
			if n["burst"] != nil {
				l.text += fmt.Sprintf(", %v at once", n["burst"])
			}
			if l.burst == 0 {
				l.burst = l.requests
			}
			by := words(n["by"])
			if _, taken := out[by]; taken {
				by += " " + words(n["name"])
			}
			out[by] = l
		}
		return out
	}
	was, is := read(c.before), read(c.after)
	for _, by := range sorted(is) {
		old, had := was[by]
		switch l := is[by]; {
		case !had:
			c.breaks("limit-added", by, fmt.Sprintf("it takes no more than %s per %s now", l.text, by), "callers that are quicker get 429")
		case l.requests*old.seconds < old.requests*l.seconds || l.burst < old.burst:
			c.breaks("limit-tightened", by, fmt.Sprintf("it takes %s per %s, no longer %s", l.text, by, old.text), "callers that are quicker get 429")
		case l != old:
			c.tells("limit-loosened", by, fmt.Sprintf("it takes %s per %s, no longer %s", l.text, by, old.text), "callers may be quicker")
		}
	}
	for _, by := range sorted(was) {
		if _, has := is[by]; !has {
			c.tells("limit-removed", by, "it has no limit per "+by+" any more", "callers may be quicker")
		}
	}
}
