package otlp

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/ashlar-go/ashlar/trace"
)

// settings are what the environment says to us; the client of the protocol
// reads the rest itself.
type settings struct {
	on      bool
	options trace.Options
}

// fromEnvironment reads the variables, and reports every mistake at once: the
// client would take the default for what it does not understand, and send the
// traces to nobody.
func fromEnvironment() (s settings, err error) {
	if strings.EqualFold(os.Getenv("OTEL_SDK_DISABLED"), "true") {
		return s, nil
	}
	endpointIn, endpoint := ofTraces("ENDPOINT")
	switch exporter := os.Getenv("OTEL_TRACES_EXPORTER"); exporter {
	case "":
		s.on = endpoint != ""
	case "otlp":
		s.on = true
	case "none":
	default:
		return s, fmt.Errorf("OTEL_TRACES_EXPORTER: there is no exporter %q; it is otlp or none", exporter)
	}
	if !s.on {
		return s, nil
	}

	var errs []error
	if endpoint != "" {
		errs = append(errs, checkEndpoint(endpointIn, endpoint))
	}
	if in, protocol := ofTraces("PROTOCOL"); protocol != "" && protocol != "http/protobuf" && protocol != "http/json" {
		errs = append(errs, fmt.Errorf("%s: %q is not spoken; it is http/protobuf or http/json, at port 4318 of most collectors", in, protocol))
	}
	s.options.Sampler, err = trace.ParseSampler(os.Getenv("OTEL_TRACES_SAMPLER"), os.Getenv("OTEL_TRACES_SAMPLER_ARG"))
	errs = append(errs, err)
	for name, to := range map[string]*int{
		"OTEL_BSP_MAX_QUEUE_SIZE":        &s.options.Queue,
		"OTEL_BSP_MAX_EXPORT_BATCH_SIZE": &s.options.Batch,
	} {
		*to, err = positive(name)
		errs = append(errs, err)
	}
	for name, to := range map[string]*time.Duration{
		"OTEL_BSP_SCHEDULE_DELAY": &s.options.Delay,
		"OTEL_BSP_EXPORT_TIMEOUT": &s.options.Timeout,
	} {
		var n int
		n, err = positive(name)
		*to = time.Duration(n) * time.Millisecond
		errs = append(errs, err)
	}
	return s, errors.Join(errs...)
}

// ofTraces is a variable for traces, else for all signals.
func ofTraces(setting string) (name, value string) {
	name = "OTEL_EXPORTER_OTLP_TRACES_" + setting
	if value = strings.TrimSpace(os.Getenv(name)); value == "" {
		name = "OTEL_EXPORTER_OTLP_" + setting
		value = strings.TrimSpace(os.Getenv(name))
	}
	return name, value
}

func checkEndpoint(name, endpoint string) error {
	u, err := url.Parse(endpoint)
	if err != nil || u.Host == "" || !strings.EqualFold(u.Scheme, "http") && !strings.EqualFold(u.Scheme, "https") {
		return fmt.Errorf("%s: must be a URL such as http://localhost:4318", name) // which may hold a password
	}
	return nil
}

// positive is a number above 0; without one it is 0, which means the default.
func positive(name string) (int, error) {
	text := os.Getenv(name)
	if text == "" {
		return 0, nil
	}
	n, err := strconv.ParseInt(text, 10, 32)
	if err != nil || n <= 0 {
		return 0, fmt.Errorf("%s: must be a whole number above 0, not %q", name, text)
	}
	return int(n), nil
}
