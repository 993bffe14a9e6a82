package ashlar_test

import (
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// private are the names of files that hold keys, settings or people's data,
// or what a program left behind. A module is published with every file in it.
var private = strings.Fields(`
	.env .env.* *.env .netrc .npmrc .pgpass .htpasswd id_rsa* id_ecdsa* id_ed25519*
	*.key *.pem *.p8 *.p12 *.pfx *.jks *.keystore *.kdbx *.ppk *.jwk *.jwks
	*.db *.db-wal *.db-shm *.sqlite *.sqlite3 *.dump *.dmp *.bak *.sql.gz *.rdb *.aof
	*.log *.pprof *.prof core core.* *.out *.har *.pcap`)

// TestEveryFileMayBePublished holds P6.25: git knows no file that looks like a
// key, settings, a database or a dump, and would take none.
func TestEveryFileMayBePublished(t *testing.T) {
	t.Parallel()
	for _, file := range known(t) {
		if path.Base(file) == ".env.example" { // says what to set, and to nothing that is in use
			continue
		}
		for _, pattern := range private {
			if hit, err := path.Match(pattern, strings.ToLower(path.Base(file))); err != nil {
				t.Fatal(err)
			} else if hit {
				t.Errorf("%s would be published: remove it, or name it in .gitignore; if it is harmless, it needs a name that does not match %s", file, pattern)
			}
		}
	}
}

// TestEveryModuleIsTheOneThatIsNamed holds P6.27: nothing is put in the place
// of a module. That its name is no look-alike is seen by whoever adds it to
// the table `libraries`.
func TestEveryModuleIsTheOneThatIsNamed(t *testing.T) {
	t.Parallel()
	replacement := regexp.MustCompile(`(?m)^[ \t]*replace\b.*`)
	here := regexp.MustCompile(`^replace ` + regexp.QuoteMeta(module) + ` => (\.\./)+$`) // modules beside this one build with this one

	found := 0
	for _, file := range known(t) {
		if path.Ext(file) != ".mod" && path.Base(file) != "go.work" {
			continue
		}
		found++
		text, err := os.ReadFile(filepath.FromSlash(file))
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range replacement.FindAllString(string(text), -1) {
			if file == "go.mod" || !here.MatchString(line) {
				t.Errorf("%s: %q: use the module that is named, or name the one that is used", file, line)
			}
		}
	}
	if found == 0 {
		t.Error("no go.mod was found")
	}
}

// known lists the files that git knows or would take. A module that was
// downloaded has no git: what it holds is published already.
func known(t *testing.T) []string {
	t.Helper()
	if _, err := os.Stat(".git"); err != nil {
		t.Skip("not a git repository: ", err)
	}
	list, err := exec.CommandContext(t.Context(), "git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--deduplicate").Output()
	if err != nil {
		t.Fatal(err)
	}
	var files []string
	for file := range strings.SplitSeq(strings.TrimSuffix(string(list), "\x00"), "\x00") {
		if _, err := os.Stat(filepath.FromSlash(file)); err == nil { // it may be removed and not yet committed
			files = append(files, file)
		}
	}
	return files
}
