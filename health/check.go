package health

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
)

// check is one dependency. Only the run under way uses it, and there is one.
type check struct {
	name     string
	run      func(context.Context) error
	optional bool
	result   chan error // of the run under way, else nil
	last     Word
}

// begin starts the check, unless it is still busy with the last time.
func (k *check) begin(ctx context.Context) {
	if k.result != nil {
		return
	}
	result := make(chan error, 1) // a check that comes too late must not hang
	k.result = result
	go func() {
		defer func() {
			if cause := recover(); cause != nil {
				result <- fmt.Errorf("panic: %v", cause)
			}
		}()
		result <- k.run(ctx)
	}()
}

// wait returns the check's word, at the end of ctx at the latest.
func (k *check) wait(ctx context.Context, log *slog.Logger) Word {
	var err error
	select {
	case err = <-k.result:
		k.result = nil
	case <-ctx.Done():
		select {
		case err = <-k.result: // it was in time; another check was not
			k.result = nil
		default:
			err = ctx.Err()
		}
	}
	word := OK
	switch {
	case err != nil && k.optional:
		return Degraded
	case errors.Is(err, context.DeadlineExceeded):
		word = TimedOut
	case err != nil:
		word = Failing
	}
	if log != nil && word != k.last {
		switch {
		case word != OK:
			log.LogAttrs(ctx, slog.LevelWarn, "health check fails", slog.String("check", k.name), slog.Any("error", err))
		case k.last != "":
			log.LogAttrs(ctx, slog.LevelInfo, "health check passes again", slog.String("check", k.name))
		}
	}
	k.last = word
	return word
}
