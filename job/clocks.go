package job

import (
	"context"
	"fmt"
	"time"

	"github.com/ashlar-go/ashlar/db"
)

// Times in the tables are of the clock of the process that wrote them, and some
// clock will be hours ahead one day. Whatever such a process leaves behind says
// when it was set, which is later than it is: so it is known by that, and not by
// being long.

// implausible is a time after which no process can have set anything whose clock
// is right. What it spares is late by as much at most.
func (r *Runner) implausible(now time.Time) int64 { return now.Add(r.cfg.Lease).UnixMilli() }

// longAgo is a time by which a lease that ended would have been noticed. One that
// ended earlier is of a process that died while nobody else was there, or of one
// that lives and whose clock is behind.
func (r *Runner) longAgo(now time.Time) int64 {
	if r.hasty {
		return 0
	}
	return now.Add(-r.cfg.Lease).UnixMilli()
}

// hurry has jobs wait from now on for the pause before their next attempt that
// was set under a clock that was ahead. A time that somebody named stays.
func (r *Runner) hurry(ctx context.Context, now time.Time) error {
	_, err := transact(ctx, r.cfg.DB, func(tx *db.Tx) (int64, error) {
		return db.Exec(ctx, tx, `
			UPDATE ashlar_jobs SET due_at = due_at - set_at + $1, set_at = $1
			WHERE state = 'scheduled' AND set_at > $2 AND id IN (
				SELECT id FROM ashlar_jobs WHERE state = 'scheduled' AND set_at > 0 AND set_at > $2 LIMIT $3`+skipLocked+`)`,
			now.UnixMilli(), r.implausible(now), dueBatch)
	})
	if err != nil {
		return fmt.Errorf("shorten pauses that a clock ahead has set: %w", err)
	}
	r.due.due = now
	return nil
}

// sighting is a lease of the future or of long ago, as it was seen, and when it
// was seen first by a clock that nobody sets.
type sighting struct {
	lease      string
	until, set int64
	since      time.Time
}

// doubt takes jobs back whose worker is gone and whose leases say nothing by
// themselves: those of a clock that was ahead would stand until its time comes,
// and those of one that is behind have ended although their worker lives. That
// renews them three times in the length of each, whatever its clock says; so a
// lease that stands unchanged for as long as it is, is nobody's any more.
func (r *Runner) doubt(ctx context.Context, now time.Time) error {
	seen, err := db.All[struct {
		ID, Lease         string
		LeaseUntil, SetAt int64
	}](ctx, r.cfg.DB, `
		SELECT id, lease, lease_until, set_at FROM ashlar_jobs
		WHERE state = 'running' AND (lease_until > $1 AND set_at > $1 OR lease_until <= $2)
		ORDER BY lease_until LIMIT $3`, r.implausible(now), r.longAgo(now), dueBatch)
	if err != nil {
		return fmt.Errorf("look for leases of other clocks: %w", err)
	}
	steady := r.steady()
	before := r.sightings
	r.sightings = make(map[string]sighting, len(seen))
	over := map[string]sighting{}
	for _, row := range seen {
		s := sighting{row.Lease, row.LeaseUntil, row.SetAt, steady}
		if old := before[row.ID]; old.lease == s.lease && old.until == s.until && old.set == s.set {
			s.since = old.since
		}
		r.sightings[row.ID] = s
		if steady.Sub(s.since) > time.Duration(s.until-s.set)*time.Millisecond {
			over[row.ID] = s
		}
	}
	if len(over) == 0 {
		return nil
	}
	lost, err := transact(ctx, r.cfg.DB, func(tx *db.Tx) (lost []due, err error) {
		for id, s := range over {
			// As it was seen, or it was renewed meanwhile. Who holds its row is
			// about to end the job, or to renew the lease.
			list, err := db.All[due](ctx, tx, selectDue+`state = 'running' AND id = $1 AND lease = $2 AND lease_until = $3 AND set_at = $4`+skipLocked,
				id, s.lease, s.until, s.set)
			if err != nil {
				return nil, err
			}
			for _, job := range list {
				if err := r.reclaim(ctx, tx, job, now); err != nil {
					return nil, err
				}
			}
			lost = append(lost, list...)
		}
		return lost, nil
	})
	if err != nil {
		return fmt.Errorf("end leases of other clocks: %w", err)
	}
	r.tookBack(ctx, lost)
	return nil
}
