// Package work runs what takes a processor for a while, a bounded number at a
// time, so that hashing, reports and images leave the rest of the machine to
// everybody else's requests.
//
//	pool := work.New(work.Config{})
//	chart, err := work.Do(ctx, pool, func() ([]byte, error) { return draw(sales) })
//
// Go switches between goroutines every ten milliseconds, so as many busy ones
// as there are processors make every request wait that long, and twice as many
// twice that long. A [Pool] lets half of the processors be busy, has more work
// wait in the order of arrival, and turns away at once what could not be done
// in time: whoever is told now can do something else.
package work
