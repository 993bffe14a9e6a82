package trace

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
)

// Sampler decides at the start of a trace whether it is sampled. The zero
// Sampler is what OpenTelemetry calls parentbased_traceidratio, at 1 %.
type Sampler struct {
	bound uint64 // a trace is sampled if 63 bits of its id are below
	alone bool   // do not ask the parent
	set   bool
}

const defaultShare = 0.01

// Ratio samples a share of all traces, from 0 to 1, whatever a parent decided.
// Two processes with the same share choose the same traces.
func Ratio(share float64) Sampler {
	return Sampler{bound: bound(share), alone: true, set: true}
}

// ParentBased returns the Sampler that follows the decision of a parent that
// is trusted, and decides as s where there is none.
func (s Sampler) ParentBased() Sampler {
	s.alone = false
	return s
}

// ParseSampler reads the values of OTEL_TRACES_SAMPLER and
// OTEL_TRACES_SAMPLER_ARG. No name is the zero Sampler.
func ParseSampler(name, arg string) (Sampler, error) {
	share := 1.0
	if name == "traceidratio" || name == "parentbased_traceidratio" {
		var err error
		if share, err = parseShare(arg); err != nil {
			return Sampler{}, err
		}
	}
	switch name {
	case "":
		return Sampler{}, nil
	case "always_on", "traceidratio":
		return Ratio(share), nil
	case "always_off":
		return Ratio(0), nil
	case "parentbased_always_on", "parentbased_traceidratio":
		return Ratio(share).ParentBased(), nil
	case "parentbased_always_off":
		return Ratio(0).ParentBased(), nil
	}
	return Sampler{}, fmt.Errorf("OTEL_TRACES_SAMPLER: there is no sampler %q; it is one of always_on, always_off, traceidratio, or one of these after parentbased_", name)
}

func parseShare(arg string) (float64, error) {
	if arg == "" {
		return 1, nil // as OpenTelemetry has it
	}
	share, err := strconv.ParseFloat(arg, 64)
	if err != nil || !(share >= 0 && share <= 1) { // which NaN is not
		return 0, fmt.Errorf("OTEL_TRACES_SAMPLER_ARG: must be a share from 0 to 1, not %q", arg)
	}
	return share, nil
}

func bound(share float64) uint64 {
	switch {
	case !(share > 0): // which NaN is not
		return 0
	case share >= 1:
		return math.MaxUint64
	}
	return uint64(share * (1 << 63))
}

// sample decides about a trace. Parent says that somebody upstream sent c, and
// trusted that he is believed: the id of a stranger is his own choice, so it
// must not choose what we record.
func (s Sampler) sample(c Context, parent, trusted bool) bool {
	if !s.set {
		s.bound = bound(defaultShare)
	}
	switch {
	case parent && !trusted:
		return rand.Uint64()>>1 < s.bound //nolint:gosec // no secret
	case parent && !s.alone:
		return c.Sampled()
	}
	return binary.BigEndian.Uint64(c.TraceID[8:])>>1 < s.bound
}
