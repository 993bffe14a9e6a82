package payment

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ashlar-go/ashlar/db"
	"github.com/ashlar-go/ashlar/job"
)

// holdFor is how long an issuer keeps a hold that nobody captures.
const holdFor = 7 * 24 * time.Hour

// batch is how many payments a job looks at in one go.
const batch = 100

// What happens by itself: one process does it, and another if that one dies.
const (
	settleQueue job.Queue[struct{}] = "payments.settle"
	expireQueue job.Queue[struct{}] = "payments.expire"
)

// jobs finish payments whose request did not, because its process was killed or
// the network gave no answer, and release holds that were never captured.
func (s *Service) jobs() []job.Handler {
	return []job.Handler{
		job.On(settleQueue, untilDone(s.settleStranded), job.Every(max(s.lease/4, time.Second).Truncate(time.Millisecond)), job.Keep(time.Hour)),
		job.On(expireQueue, untilDone(s.expireHolds), job.Every(time.Minute), job.Keep(time.Hour)),
	}
}

// settleStranded settles the payments that are pending for longer than a
// request takes, or that begin in the future, by a clock that was ahead. The
// network is asked what it answered under the payment's id; if the request
// never got there it never will, because Recall closes it.
// One that cannot be settled now does not keep those behind it waiting.
func (s *Service) settleStranded(ctx context.Context) (int, error) {
	stranded, err := db.All[intent](ctx, s.db, `
		SELECT `+columns+`, capture, fingerprint FROM payments
		WHERE status = 'pending' AND (created_at < $1 OR created_at > $2) ORDER BY created_at LIMIT $3`,
		now().Add(-s.lease), now().Add(s.lease), batch)
	if err != nil {
		return 0, err
	}
	var first error
	settled := 0
	for _, p := range stranded {
		answer, err := s.network.Recall(ctx, p.ID)
		if err == nil {
			_, err = s.settle(ctx, p, answer)
		}
		switch {
		case err == nil, errors.Is(err, ErrDeclined):
			settled++
		case first == nil:
			first = fmt.Errorf("settle %s: %w", p.ID, err)
		}
	}
	if first != nil {
		return settled, fmt.Errorf("%d of %d stranded payments are left; %w", len(stranded)-settled, len(stranded), first)
	}
	return settled, nil
}

// expireHolds expires payments that were authorised too long ago.
func (s *Service) expireHolds(ctx context.Context) (int, error) {
	return db.InTx(ctx, s.db, func(tx *db.Tx) (int, error) {
		old, err := db.All[Payment](ctx, tx, `
			SELECT `+columns+` FROM payments
			WHERE status = 'authorized' AND created_at < $1 ORDER BY created_at LIMIT $2`+forChange, now().Add(-holdFor), batch)
		if err != nil {
			return 0, err
		}
		for _, p := range old {
			c, err := p.expire()
			if err != nil {
				return 0, err
			}
			if _, err := save(ctx, tx, p, c, now()); err != nil {
				return 0, err
			}
		}
		return len(old), nil
	}, db.ReadCommitted)
}

// untilDone has a job work again at once while there is a full batch to do.
func untilDone(work func(context.Context) (done int, err error)) func(context.Context, struct{}) error {
	return func(ctx context.Context, _ struct{}) error {
		for {
			if done, err := work(ctx); err != nil || done < batch {
				return err
			}
		}
	}
}
