package sse_test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/ashlar-go/ashlar/internal/sse"
)

func all(t *testing.T, from io.Reader) (events []sse.Event, retry time.Duration) {
	t.Helper()
	r := sse.NewReader(from)
	for {
		e, err := r.Next()
		if errors.Is(err, io.EOF) {
			return events, r.Retry()
		}
		if err != nil {
			t.Fatal(err)
		}
		events = append(events, e)
	}
}

// The examples of the standard, and what it says about the rest.
func TestRead(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		text  string
		want  []sse.Event
		retry time.Duration
	}{
		"one of two lines":          {"data: YHOO\ndata: +2\ndata: 10\n\n", []sse.Event{{"", "message", "YHOO\n+2\n10"}}, 0},
		"comments and ids":          {": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n\n", []sse.Event{{"1", "message", "first event"}, {"", "message", "second event"}, {"", "message", " third event"}}, 0},
		"data without a value":      {"data\n\ndata\ndata\n\ndata:", []sse.Event{{"", "message", ""}, {"", "message", "\n"}}, 0},
		"a space or none":           {"data:test\n\ndata: test\n\n", []sse.Event{{"", "message", "test"}, {"", "message", "test"}}, 0},
		"kinds":                     {"event: a\ndata: 1\n\ndata: 2\n\nevent: b\n\ndata: 3\n\n", []sse.Event{{"", "a", "1"}, {"", "message", "2"}, {"", "message", "3"}}, 0},
		"an id holds on":            {"id: 7\ndata: 1\n\ndata: 2\n\n", []sse.Event{{"7", "message", "1"}, {"7", "message", "2"}}, 0},
		"an id alone":               {"id: 7\n\ndata: 2\n\n", []sse.Event{{"7", "message", "2"}}, 0},
		"an id with a NUL":          {"id: 7\nid: a\x00b\ndata: 1\n\n", []sse.Event{{"7", "message", "1"}}, 0},
		"all line ends":             {"data: 1\r\ndata: 2\rdata: 3\n\r\n", []sse.Event{{"", "message", "1\n2\n3"}}, 0},
		"carriage returns":          {"data: 1\r\rdata: 2\r\r", []sse.Event{{"", "message", "1"}, {"", "message", "2"}}, 0},
		"a byte order mark":         {"\ufeffdata: 1\n\n", []sse.Event{{"", "message", "1"}}, 0},
		"retry":                     {"retry: 1500\n\nretry: 1s\nretry: -1\nretry: +1\nretry:\n", nil, 1500 * time.Millisecond},
		"an unknown field":          {"what: 1\ndata: 2\n\n", []sse.Event{{"", "message", "2"}}, 0},
		"an event that is not over": {"data: 1\n", nil, 0},
		"nothing":                   {"", nil, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for how, r := range map[string]io.Reader{
				"at once":      strings.NewReader(c.text),
				"byte by byte": iotest.OneByteReader(strings.NewReader(c.text)),
			} {
				if got, retry := all(t, r); !slices.Equal(got, c.want) || retry != c.retry {
					t.Errorf("%s: got %q, %s", how, got, retry)
				}
			}
		})
	}
}

// An event is there with its last byte, whatever ends its lines.
func TestReadDoesNotWait(t *testing.T) {
	t.Parallel()
	for _, end := range []string{"\n", "\r", "\r\n"} {
		from, to := io.Pipe()
		r := sse.NewReader(from)
		go func() { _, _ = io.WriteString(to, "data: 1"+end+end) }()
		if e, err := r.Next(); err != nil || e.Data != "1" {
			t.Errorf("%q: %v, %v", end, e, err)
		}
		_ = to.Close()
	}
}

func TestReadIsBounded(t *testing.T) {
	t.Parallel()
	endless := func(text string) io.Reader { return &repeated{text: []byte(text)} }
	for name, r := range map[string]io.Reader{
		"a line": endless("data"), "many lines": endless("data: " + strings.Repeat("a", 1<<20) + "\n"),
	} {
		if e, err := sse.NewReader(r).Next(); err == nil || errors.Is(err, io.EOF) {
			t.Errorf("%s without end: %d bytes, %v", name, len(e.Data), err)
		}
	}
	broken := errors.New("broken")
	if _, err := sse.NewReader(iotest.ErrReader(broken)).Next(); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
}

type repeated struct {
	text []byte
	at   int
}

func (r *repeated) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = r.text[r.at%len(r.text)]
		r.at++
	}
	return len(p), nil
}

func TestWrite(t *testing.T) {
	t.Parallel()
	b := sse.AppendRetry(nil, 2500*time.Millisecond)
	b = append(b, '\n')
	b = sse.Append(b, "1", "a", []byte("{\n\"a\":\r1}"))
	b = append(b, sse.Beat...)
	b = sse.Append(b, "", "", []byte("2"))
	const want = "retry: 2500\n\nid: 1\nevent: a\ndata: { \"a\": 1}\n\n:\n\ndata: 2\n\n"
	if string(b) != want {
		t.Errorf("got %q", b)
	}
}

// What is written is read as it was.
func FuzzRoundTrip(f *testing.F) {
	f.Add("evt_1", "payment.captured", "text", 3)
	f.Add("", "", "a\r\n\x00\u2028é", 0)
	f.Fuzz(func(t *testing.T, id, kind, text string, beats int) {
		if strings.ContainsAny(id, "\r\n\x00") || strings.ContainsAny(kind, "\r\n") {
			t.Skip()
		}
		data, err := json.MarshalIndent(map[string]string{"text": text}, "", "\t")
		if err != nil {
			t.Fatal(err)
		}
		var b []byte
		for range min(max(beats, 0), 5) {
			b = append(b, sse.Beat...)
		}
		b = sse.Append(b, id, kind, data)
		got, _ := all(t, bytes.NewReader(b))
		var back, sent map[string]string
		if len(got) != 1 || json.Unmarshal([]byte(got[0].Data), &back) != nil || json.Unmarshal(data, &sent) != nil || back["text"] != sent["text"] {
			t.Fatalf("%q was read as %q", b, got)
		}
		if got[0].ID != id || got[0].Type != cmp.Or(kind, "message") {
			t.Fatalf("%q was read as %q", b, got)
		}
	})
}

// Whatever arrives, reading ends, and in the same way however it arrives.
func FuzzRead(f *testing.F) {
	f.Add("data: 1\r\n\r\nid: 2\ndata\n\n")
	f.Fuzz(func(t *testing.T, text string) {
		whole, _ := all(t, strings.NewReader(text))
		pieces, _ := all(t, iotest.OneByteReader(strings.NewReader(text)))
		if !slices.Equal(whole, pieces) {
			t.Fatalf("%q: %q at once, %q byte by byte", text, whole, pieces)
		}
	})
}
