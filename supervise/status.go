package supervise

import (
	"os"
	"time"
)

// Status is how a parent and its workers are.
type Status struct {
	PID     int            `json:"pid"`
	Program string         `json:"program"`
	Since   time.Time      `json:"since"`
	Reloads int            `json:"reloads"` // that succeeded
	Memory  int64          `json:"memory"`  // bytes that the parent holds
	Workers []WorkerStatus `json:"workers"`
}

// WorkerStatus is how one worker is. What could not be seen is zero.
type WorkerStatus struct {
	Worker   int       `json:"worker"` // from 1
	State    State     `json:"state"`
	PID      int       `json:"pid,omitempty"`
	Since    time.Time `json:"since,omitzero"` // the start of the process
	Restarts int64     `json:"restarts"`       // by itself: after crashes, for its memory, and for its silence
	Memory   int64     `json:"memory"`         // bytes, resident
	CPU      float64   `json:"cpu"`            // processors that it keeps busy
	Requests uint64    `json:"requests"`       // answered by this process
	Rate     float64   `json:"rate"`           // of them, in the last second
	Why      string    `json:"why,omitempty"`  // the last one ended
}

// State is what a worker does.
type State string

// The states of a worker.
const (
	Serving State = "serving"
	Waiting State = "restarting" // for its turn to be started again, or to be ready
	GivenUp State = "given up"   // until the next reload
	Leaving State = "leaving"    // it finishes what it has begun
)

// Status returns how all is now. Figures are up to a second old.
func (p *Parent) Status() Status {
	memory, _, _ := usage(os.Getpid()) // zero if it cannot be seen
	p.mu.Lock()
	st := Status{PID: os.Getpid(), Program: p.path, Since: p.started, Reloads: p.reloads, Memory: memory}
	p.mu.Unlock()
	for _, s := range p.slots {
		w := WorkerStatus{Worker: s.worker, State: Waiting}
		if c := s.child.Load(); c != nil {
			w = c.status(Serving)
		}
		s.mu.Lock()
		w.Why = s.why
		if s.gaveUp {
			w.State = GivenUp
		}
		s.mu.Unlock()
		w.Restarts = s.restarts.Load()
		st.Workers = append(st.Workers, w)
	}
	for _, c := range p.parting() {
		st.Workers = append(st.Workers, c.status(Leaving))
	}
	return st
}

func (c *child) status(state State) WorkerStatus {
	c.mu.Lock()
	defer c.mu.Unlock()
	w := WorkerStatus{
		Worker: c.worker, State: state, PID: c.cmd.Process.Pid, Since: c.started,
		Memory: c.sample.resident, Requests: c.requests,
	}
	if between := c.sample.at.Sub(c.previous.at); !c.previous.at.IsZero() && between > 0 {
		w.CPU = float64(c.sample.cpu-c.previous.cpu) / float64(between)
		w.Rate = float64(c.sample.requests-c.previous.requests) / between.Seconds()
	}
	return w
}
