package openapi_test

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite the files under testdata")

// TestTheDocumentIsWhatItWas fails on every change of what is published. If
// the change is wanted, run the test with -update and explain the difference.
func TestTheDocumentIsWhatItWas(t *testing.T) {
	t.Parallel()

	golden(t, "shop.json", shopDocument(t))
	for range 5 { // maps are walked in another order each time
		if again := shopDocument(t); !bytes.Equal(again, shopDocument(t)) {
			t.Fatal("two documents of the same operations differ")
		}
	}
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(string(got), "\n")); diff != "" {
		t.Errorf("%s (-want +got):\n%s", file, diff)
	}
}
