package otlp_test

import (
	"compress/gzip"
	"encoding/hex"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	collectorpb "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	logspb "go.opentelemetry.io/proto/otlp/logs/v1"
	"google.golang.org/protobuf/proto"

	"github.com/ashlar-go/ashlar/logs/otlp"
)

// receiver takes what is sent, in the protocol's official types.
type receiver struct {
	*httptest.Server

	mu      sync.Mutex
	records []*logspb.LogRecord
	about   map[string]any
	path    string
	calls   int
}

func receive(t *testing.T) *receiver {
	t.Helper()
	r := &receiver{}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body := io.Reader(req.Body)
		if req.Header.Get("Content-Encoding") == "gzip" {
			body, _ = gzip.NewReader(req.Body)
		}
		data, err := io.ReadAll(body)
		var message collectorpb.ExportLogsServiceRequest
		if err = errors.Join(err, proto.Unmarshal(data, &message)); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		r.calls, r.path = r.calls+1, req.URL.Path
		for _, of := range message.GetResourceLogs() {
			r.about = values(of.GetResource().GetAttributes())
			for _, scope := range of.GetScopeLogs() {
				r.records = append(r.records, scope.GetLogRecords()...)
			}
		}
		w.Header().Set("Content-Type", "application/x-protobuf")
	}))
	t.Cleanup(r.Close)
	return r
}

func values(list []*commonpb.KeyValue) map[string]any {
	out := map[string]any{}
	for _, kv := range list {
		switch v := kv.GetValue().GetValue().(type) {
		case *commonpb.AnyValue_StringValue:
			out[kv.GetKey()] = v.StringValue
		case *commonpb.AnyValue_IntValue:
			out[kv.GetKey()] = v.IntValue
		case *commonpb.AnyValue_BoolValue:
			out[kv.GetKey()] = v.BoolValue
		case *commonpb.AnyValue_DoubleValue:
			out[kv.GetKey()] = v.DoubleValue
		}
	}
	return out
}

// clean unsets what the machine may have set.
func clean(t *testing.T, env ...string) {
	t.Helper()
	for _, name := range []string{
		"OTEL_SDK_DISABLED", "OTEL_LOGS_EXPORTER", "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT",
		"OTEL_SERVICE_NAME", "OTEL_RESOURCE_ATTRIBUTES",
	} {
		t.Setenv(name, "")
	}
	for i := 0; i+1 < len(env); i += 2 {
		t.Setenv(env[i], env[i+1])
	}
}

func TestLinesArriveAsRecords(t *testing.T) { //nolint:paralleltest // sets variables
	r := receive(t)
	clean(t, "OTEL_EXPORTER_OTLP_ENDPOINT", r.URL, "OTEL_SERVICE_NAME", "payments")
	w, err := otlp.New(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	lines := `{"time":"2026-11-22T17:20:32.104Z","level":"WARN","msg":"slow","trace_id":"0af7651916cd43dd8448eb211c80319c","op":"payments.get","rows":12,"took":1.5,"cached":false,"card":"***","group":{"a":[1,"b"]},"none":null}
{"time":"2026-11-22T17:20:32.104Z","level":"INFO+2","msg":"big","n":9007199254740993}
no JSON
`
	if n, err := io.WriteString(w, lines); n != len(lines) || err != nil {
		t.Fatalf("Write = %d, %v", n, err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if r.path != "/v1/logs" || r.calls != 1 || len(r.records) != 3 || r.about["service.name"] != "payments" {
		t.Fatalf("%d records in %d calls to %s by %v", len(r.records), r.calls, r.path, r.about)
	}
	first := r.records[0]
	want := map[string]any{
		"op": "payments.get", "rows": int64(12), "took": 1.5, "cached": false, "card": "***", "group": `{"a":[1,"b"]}`, "none": "null",
	}
	if diff := cmp.Diff(want, values(first.GetAttributes())); diff != "" {
		t.Error(diff)
	}
	at := time.Date(2026, 11, 22, 17, 20, 32, 104e6, time.UTC)
	if first.GetBody().GetStringValue() != "slow" || first.GetTimeUnixNano() != uint64(at.UnixNano()) ||
		first.GetSeverityNumber() != logspb.SeverityNumber_SEVERITY_NUMBER_WARN || first.GetSeverityText() != "WARN" ||
		hex.EncodeToString(first.GetTraceId()) != "0af7651916cd43dd8448eb211c80319c" {
		t.Errorf("the first record is %v", first)
	}
	if second := r.records[1]; second.GetSeverityNumber() != logspb.SeverityNumber_SEVERITY_NUMBER_INFO3 ||
		values(second.GetAttributes())["n"] != int64(9007199254740993) {
		t.Errorf("the second record is %v", second)
	}
	if third := r.records[2]; third.GetBody().GetStringValue() != "no JSON" {
		t.Errorf("the third record is %v", third)
	}
}

func TestACollectorThatRefusesIsAnError(t *testing.T) { //nolint:paralleltest // sets variables
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "no", http.StatusForbidden)
	}))
	defer s.Close()
	clean(t, "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", s.URL+"/logs")
	w, err := otlp.New(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	log := slog.New(slog.NewJSONHandler(w, nil))
	if err := log.Handler().Handle(t.Context(), slog.Record{Message: "m"}); err == nil {
		t.Error("no error")
	}
}

func TestTheEnvironmentSaysWhetherAndWhereTo(t *testing.T) { //nolint:paralleltest // sets variables
	for _, c := range []struct { //nolint:paralleltest // the cases set variables
		env  []string
		on   bool
		fail string // the variable that the error names
	}{
		{nil, false, ""},
		{[]string{"OTEL_LOGS_EXPORTER", "otlp"}, true, ""},
		{[]string{"OTEL_EXPORTER_OTLP_ENDPOINT", "https://collector:4318"}, true, ""},
		{[]string{"OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:4318", "OTEL_LOGS_EXPORTER", "none"}, false, ""},
		{[]string{"OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:4318", "OTEL_SDK_DISABLED", "true"}, false, ""},
		{[]string{"OTEL_LOGS_EXPORTER", "console"}, false, "OTEL_LOGS_EXPORTER"},
		{[]string{"OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4318"}, false, "OTEL_EXPORTER_OTLP_ENDPOINT"},
		{[]string{"OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", "http://user:canary@"}, false, "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT"},
	} {
		t.Run(strings.Join(c.env, " "), func(t *testing.T) {
			clean(t, c.env...)
			w, err := otlp.New(t.Context())
			if (w != nil) != c.on || (err != nil) != (c.fail != "") {
				t.Fatalf("%v, %v", w, err)
			}
			if err != nil && (!strings.Contains(err.Error(), c.fail) || strings.Contains(err.Error(), "canary")) {
				t.Error(err)
			}
			if w != nil {
				_ = w.Close()
			}
		})
	}
}
