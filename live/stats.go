package live

import "sync/atomic"

// Stats is a snapshot of the streams of one operation. All but Open grow for as
// long as the process lives.
type Stats struct {
	Open     int64           // streams that are open now
	Opened   uint64          // streams that were opened
	Messages uint64          // items that were sent
	Bytes    uint64          // what was sent, items and the rest
	Ended    [Reasons]uint64 // streams that ended, by [Reason]
}

type tally struct {
	open                    atomic.Int64
	opened, messages, bytes atomic.Uint64
	ended                   [Reasons]atomic.Uint64
}

func (t *tally) stats() (s Stats) {
	s.Open, s.Opened = t.open.Load(), t.opened.Load()
	s.Messages, s.Bytes = t.messages.Load(), t.bytes.Load()
	for i := range s.Ended {
		s.Ended[i] = t.ended[i].Load()
	}
	return s
}
