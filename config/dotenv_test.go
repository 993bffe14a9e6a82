package config_test

import (
	"errors"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"github.com/ashlar-go/ashlar/config"
)

func TestParseDotEnv(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		file string
		want map[string]string
	}{
		"nothing":               {"", map[string]string{}},
		"a plain line":          {"A=1", map[string]string{"A": "1"}},
		"an empty value":        {"A=\nB=", map[string]string{"A": "", "B": ""}},
		"spaces around":         {"  A = 1 2 \t\n", map[string]string{"A": "1 2"}},
		"comments":              {"# x\n  # y\nA=1 # one\nB=a#b\nC=#", map[string]string{"A": "1", "B": "a#b", "C": ""}},
		"export":                {"export A=1\nexport\tB=2\nexported=3\nexport=4", map[string]string{"A": "1", "B": "2", "exported": "3", "export": "4"}},
		"a double-quoted value": {`A="x \n\r\t\\\"\$ # y" # c`, map[string]string{"A": "x \n\r\t\\\"$ # y"}},
		"a single-quoted value": {`A='x \n $B "' `, map[string]string{"A": `x \n $B "`}},
		"lines in quotes":       {"A=\"1\n2\"\nB='3\n\n4'\nC=5", map[string]string{"A": "1\n2", "B": "3\n\n4", "C": "5"}},
		"space before a quote":  {"A=  \"1\"  \nB=2", map[string]string{"A": "1", "B": "2"}},
		"DOS line ends":         {"A=1\r\nB=\"x\r\ny\"\r\n", map[string]string{"A": "1", "B": "x\ny"}},
		"a byte order mark":     {"\ufeffA=1", map[string]string{"A": "1"}},
		"equals in the value":   {"A=b=c==", map[string]string{"A": "b=c=="}},
		"no expansion":          {"A=$HOME ${X} `x`", map[string]string{"A": "$HOME ${X} `x`"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := config.ParseDotEnv(strings.NewReader(c.file))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestParseDotEnvRefuses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ file, want string }{
		"no equals sign":         {"A=1\ncanary", ".env line 2: expected NAME=value"},
		"no name":                {"=canary", ".env line 1: the name before = may hold letters, digits and _ only, and not start with a digit"},
		"a digit first":          {"1A=canary", ".env line 1: the name before = may hold letters, digits and _ only, and not start with a digit"},
		"a name given twice":     {"A=1\n\nA=canary", ".env line 3: this name is already set by an earlier line"},
		"an open quote":          {"A=1\nB=\"canary\nC=2", ".env line 2: a quote is not closed"},
		"an open single quote":   {"A='canary", ".env line 1: a quote is not closed"},
		"a backslash at the end": {"A=\"canary\\", ".env line 1: a quote is not closed"},
		"an unknown escape":      {`A="\canary"`, `.env line 1: a backslash is followed by something other than n, r, t, \, " or $`},
		"text after a quote":     {`A="1" canary`, ".env line 1: something follows the closing quote"},
		"several mistakes":       {"A\nB=\"1\n2\" x\nC", ".env line 1: expected NAME=value\n.env line 2: something follows the closing quote\n.env line 4: expected NAME=value"},
		"a NUL byte":             {"A=\x00canary", ".env has a NUL byte"},
		"bad UTF-8":              {"A=\xffcanary", ".env is not UTF-8"},
		"too much":               {strings.Repeat("#", 1<<20+1), ".env is larger than 1MiB"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := config.ParseDotEnv(strings.NewReader(c.file))
			if err == nil || err.Error() != c.want {
				t.Errorf("got %q, %v\nwant %s", got, err, c.want)
			}
		})
	}
	broken := errors.New("disk on fire")
	if _, err := config.ParseDotEnv(iotest.ErrReader(broken)); !errors.Is(err, broken) {
		t.Errorf("a failing reader gives %v", err)
	}
}

// FuzzParseDotEnv holds that whatever is read can be written down single-quoted
// or escaped, and read again to the same values.
func FuzzParseDotEnv(f *testing.F) {
	f.Add("A=1\nexport B=\"x\\n\" # c\nC='y\nz'\n# end")
	f.Add("A=\"\\")
	f.Add("\ufeffA = ' ' \r\n=")
	f.Fuzz(func(t *testing.T, file string) {
		values, err := config.ParseDotEnv(strings.NewReader(file))
		if err != nil {
			if values != nil {
				t.Fatal("an error and values")
			}
			return
		}
		var again strings.Builder
		escape := strings.NewReplacer("\\", `\\`, `"`, `\"`, "$", `\$`, "\r", `\r`)
		for name, value := range values {
			again.WriteString("export " + name + `="` + escape.Replace(value) + "\" # c\n")
		}
		same, err := config.ParseDotEnv(strings.NewReader(again.String()))
		if err != nil {
			t.Fatalf("%q was written as %q: %v", values, again.String(), err)
		}
		if diff := cmp.Diff(values, same); diff != "" {
			t.Fatal(diff)
		}
	})
}
