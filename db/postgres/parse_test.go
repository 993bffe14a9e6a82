package postgres_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/ashlar-go/ashlar/db/postgres"
)

// FuzzPayload reads any payload, and what Pack makes of any message.
func FuzzPayload(f *testing.F) {
	for _, s := range []string{"", "t", "twake:", "twake:text", "bwake:AA==", "bwake:A", "1wake:AA", "2wake:==", "xwake:", "tWAKE:", "t:"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		halves := map[uint32]string{}
		if channel, message, ok := postgres.Unpack(s, 1, halves); ok && (channel == "" || message == nil) {
			t.Errorf("%q is read as %q, %v", s, channel, message)
		}
		if len(halves) > 1 {
			t.Errorf("%q leaves %d halves", s, len(halves))
		}
		message := []byte(s)
		if len(message) > 8000 {
			return
		}
		first, second := postgres.Pack("some_channel", message)
		if len(first) > 7999 || len(second) > 7999 || strings.Contains(first+second, "\x00") {
			t.Fatalf("payloads of %d and %d bytes", len(first), len(second))
		}
		channel, got, ok := postgres.Unpack(first, 2, halves)
		if second != "" {
			if ok {
				t.Error("a half is taken for a message")
			}
			channel, got, ok = postgres.Unpack(second, 2, halves)
		}
		if !ok || channel != "some_channel" || !bytes.Equal(got, message) {
			t.Errorf("%q came back as %q on %q, %t", message, got, channel, ok)
		}
	})
}

// FuzzFirstWord finds a statement's keyword in any text.
func FuzzFirstWord(f *testing.F) {
	for _, s := range []string{"SELECT 1", "-- x\nBEGIN", "/* a /* b */ c */ commit", ";;END", "/*", "/*/", "--", "set local x", "é"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, sql string) {
		word, rest := postgres.FirstWord(sql)
		if strings.Trim(word, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" {
			t.Errorf("word %q", word)
		}
		if !strings.HasSuffix(sql, rest) {
			t.Errorf("%q is no rest of %q", rest, sql)
		}
		if again, _ := postgres.FirstWord("/* BEGIN /* COMMIT */ */ -- END\n;" + sql); again != word {
			t.Errorf("%q begins with %q, and with %q behind a comment", sql, word, again)
		}
	})
}
