package codec_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// suite is nst/JSONTestSuite, where it is laid beside the repository.
const suite = "../../../shared/suites/jsontestsuite/test_parsing"

// justified are the files that must parse by RFC 8259 and are refused here.
var justified = map[string]string{
	"y_object_duplicated_key.json":           "a member given twice is refused",
	"y_object_duplicated_key_and_value.json": "a member given twice is refused",
}

func TestJSONTestSuite(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(filepath.Join(suite, "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	if len(files) == 0 {
		t.Skipf("the cases of nst/JSONTestSuite are not at %s", suite)
	}
	d := decoderOf[any](t)

	for _, file := range files {
		name := filepath.Base(file)
		body, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var v any
		err = d.Decode(body, &v)
		_, refused := justified[name]
		switch {
		case strings.HasPrefix(name, "y_") && err != nil && !refused:
			t.Errorf("%s: refused: %v", name, err)
		case strings.HasPrefix(name, "n_") && err == nil, refused && err == nil:
			t.Errorf("%s: accepted as %v", name, v)
		}
	}
}
