package pact //nolint:testpackage // the cases are of parts, not of pacts

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// suite is where the specification's own cases are.
const suite = "../../../shared/suites/pact-specification"

// TestSpecification holds the matching against every case that the
// specification publishes: the verdict is theirs, or the case is refused as
// unsupported. Which those are is counted, so that none is lost.
func TestSpecification(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat(suite); err != nil {
		t.Skipf("the cases of the Pact specification are not here: %v", err)
	}
	for _, v := range []struct {
		folder          string
		version         int
		passed, refused int
	}{
		{"v1", 1, 76, 0},
		{"v1.1", 2, 97, 0},
		{"v2", 2, 128, 50},
		{"v3", 3, 173, 53},
		{"v4", 4, 173, 53},
	} {
		t.Run(v.folder, func(t *testing.T) {
			t.Parallel()
			passed, refused := 0, 0
			root := filepath.Join(suite, v.folder)
			err := filepath.WalkDir(root, func(file string, d fs.DirEntry, err error) error {
				if err != nil || d.IsDir() {
					return err
				}
				what, _ := filepath.Rel(root, file)
				want, got, err := verdict(file, strings.Split(filepath.ToSlash(what), "/")[0], v.version)
				switch {
				case errors.Is(err, ErrUnsupported):
					refused++
					if !strings.Contains(err.Error(), "a body of XML") {
						t.Errorf("%s: %v", what, err)
					}
				case err != nil:
					t.Errorf("%s: %v", what, err)
				case want != (len(got) == 0):
					t.Errorf("%s: the specification says %t, found %v", what, want, got)
				default:
					passed++
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			if passed != v.passed || refused != v.refused {
				t.Errorf("%d cases passed and %d were refused as unsupported, want %d and %d", passed, refused, v.passed, v.refused)
			}
			t.Logf("%s: %d cases passed, %d were refused as unsupported", v.folder, passed, refused)
		})
	}
}

// verdict compares one case. Want is what the specification says.
func verdict(file, kind string, version int) (want bool, found []Mismatch, err error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return false, nil, err
	}
	var c struct {
		Match            bool
		Expected, Actual json.RawMessage
	}
	if err := json.Unmarshal(bytes.TrimPrefix(text, []byte("\ufeff")), &c); err != nil {
		return false, nil, err
	}
	switch kind {
	case "request":
		expected, err := parseRequest(c.Expected, version)
		if err != nil {
			return false, nil, err
		}
		actual, err := parseRequest(c.Actual, version)
		if err != nil {
			return false, nil, err
		}
		return c.Match, expected.compare(&actual), nil
	case "response":
		expected, err := parseResponse(c.Expected, version)
		if err != nil {
			return false, nil, err
		}
		actual, err := parseResponse(c.Actual, version)
		if err != nil {
			return false, nil, err
		}
		return c.Match, expected.compare(actual.status, actual.header, actual.body.bytes()), nil
	default:
		expected, err := parseMessage(c.Expected, version)
		if err != nil {
			return false, nil, err
		}
		actual, err := parseMessage(c.Actual, version)
		if err != nil {
			return false, nil, err
		}
		return c.Match, expected.compare(Message{Contents: actual.body.bytes(), Metadata: actual.metadata}), nil
	}
}
