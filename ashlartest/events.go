package ashlartest

import "github.com/ashlar-go/ashlar/event"

// Published returns the payloads of a topic that the app has published so far,
// oldest first.
func Published[T any](a *App, topic event.Topic[T]) []T {
	a.t.Helper()
	a.Migrate()
	list := []T{}
	q := event.Query{Filter: event.Filter{Topics: []string{string(topic)}}, Limit: event.MaxLimit}
	for more := true; more; {
		page, err := a.Events.Read(a.t.Context(), q)
		if err != nil {
			a.t.Fatal(err)
		}
		for _, r := range page.Records {
			payload, err := event.Decode[T](&r)
			if err != nil {
				a.t.Fatal(err)
			}
			list = append(list, payload)
		}
		q.After, more = page.Next, page.More
	}
	return list
}

// Deliver has the app's consumers handle what was published so far, and what
// they publish themselves. An event that a consumer could not handle fails the
// test.
func (a *App) Deliver() {
	a.t.Helper()
	a.Migrate()
	if err := a.Events.Drain(a.t.Context(), a.Consumers()...); err != nil {
		a.t.Fatal(err)
	}
	for _, c := range a.Consumers() {
		parked, err := a.Events.Parked(a.t.Context(), c.Name(), false, 0, 0)
		if err != nil {
			a.t.Fatal(err)
		}
		for _, p := range parked {
			if p.Attempts > 0 {
				a.t.Errorf("consumer %s could not handle %s %s: %v", c.Name(), p.Topic, p.ID, p.Error)
			}
		}
	}
}
