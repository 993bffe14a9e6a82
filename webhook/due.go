package webhook

import "context"

// SendDue sends what is due now, one message after another, also what becomes
// due by that, and returns how many attempts it made: for tests, whose clock
// says what is due, and for what runs now and then in place of [Hooks.Run].
// A message that is refused or fails is no error; [Hooks.Deliveries] tells.
func (h *Hooks) SendDue(ctx context.Context) (attempts int, err error) {
	d := &dispatcher{hooks: h, working: ctx, running: map[string]int{}}
	for ctx.Err() == nil {
		list, err := h.due(ctx, "", page)
		if err != nil || len(list) == 0 {
			return attempts, err
		}
		for _, endpoint := range list {
			c, err := h.claim(ctx, endpoint)
			if err != nil {
				return attempts, err
			}
			if c == nil {
				continue // another process has it
			}
			d.deliver(ctx, c)
			attempts++
		}
	}
	return attempts, ctx.Err()
}
