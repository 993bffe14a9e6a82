package id_test

import (
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/id"
)

func TestNewIsUniqueAndOrderedAcrossGoroutines(t *testing.T) {
	t.Parallel()
	const workers, each = 8, 5_000

	made := make([][]string, workers)
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for range each {
				made[w] = append(made[w], id.New("pay_"))
			}
		})
	}
	wg.Wait()

	seen := make(map[string]bool, workers*each)
	for w, ids := range made {
		if !slices.IsSorted(ids) {
			t.Errorf("ids of goroutine %d do not sort in the order they were made", w)
		}
		for _, s := range ids {
			if seen[s] {
				t.Fatalf("%s was handed out twice", s)
			}
			seen[s] = true
		}
	}
}

func TestNewCarriesItsTime(t *testing.T) {
	t.Parallel()
	before := time.Now().Truncate(time.Millisecond)
	at, err := id.Time(id.New("usr_"))
	if err != nil {
		t.Fatal(err)
	}
	// A burst in a parallel test may run the stamp a little ahead of the clock.
	if at.Before(before) || at.After(time.Now().Add(time.Second)) {
		t.Errorf("made at %v, says %v", before, at)
	}
	if at.Location() != time.UTC {
		t.Errorf("location is %v, want UTC", at.Location())
	}
}

func TestParseReturnsAUUIDv7(t *testing.T) {
	t.Parallel()
	uuid, err := id.Parse("pay_", id.New("pay_"))
	if err != nil {
		t.Fatal(err)
	}
	if uuid[6]>>4 != 7 || uuid[8]>>6 != 0b10 {
		t.Errorf("%x is not version 7 of variant 10", uuid)
	}
}

func TestValidRefuses(t *testing.T) {
	t.Parallel()
	good := id.New("pay_")
	for name, bad := range map[string]string{
		"nothing":             "",
		"the prefix alone":    "pay_",
		"another prefix":      "usr_" + good[4:],
		"no prefix":           good[4:],
		"upper case":          "pay_" + strings.ToUpper(good[4:]),
		"one character less":  good[:len(good)-1],
		"one character more":  good + "0",
		"a trailing newline":  good + "\n",
		"a letter not in use": good[:len(good)-1] + "u",
		"a byte above ASCII":  good[:len(good)-1] + "\xff",
		"more than 128 bits":  "pay_8" + good[5:],
		"another version":     "pay_" + strings.Repeat("0", 26),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if err := id.Valid("pay_", bad); err != id.ErrMalformed {
				t.Errorf("Valid(%q) = %v, want ErrMalformed", bad, err)
			}
		})
	}
	if err := id.Valid("pay_", good); err != nil {
		t.Errorf("Valid(%q) = %v", good, err)
	}
}

func TestTimeRefuses(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{"", "pay_", strings.Repeat("z", 26), strings.Repeat("0", 26)} {
		if _, err := id.Time(bad); err != id.ErrMalformed {
			t.Errorf("Time(%q) = %v, want ErrMalformed", bad, err)
		}
	}
}

func TestSecretIsLongEnoughAndNeverRepeats(t *testing.T) {
	t.Parallel()
	for n, want := range map[int]int{-1: 26, 0: 26, 15: 26, 16: 26, 20: 32, 32: 52} {
		a, b := id.Secret(n), id.Secret(n)
		if len(a) != want || len(b) != want {
			t.Errorf("Secret(%d) has %d and %d characters, want %d", n, len(a), len(b), want)
		}
		if a == b {
			t.Errorf("Secret(%d) repeated itself", n)
		}
	}
}

func TestSecretUsesTheWholeAlphabet(t *testing.T) {
	t.Parallel()
	count := map[rune]int{}
	for _, c := range id.Secret(20_000) {
		count[c]++
	}
	if len(count) != 32 {
		t.Fatalf("%d different characters, want 32", len(count))
	}
	for c, n := range count {
		if n < 700 || n > 1300 { // 1000 expected, standard deviation 31
			t.Errorf("%q appears %d times in 32000", c, n)
		}
	}
}

// FuzzParse holds that whatever parses is a name that New could have made:
// ordered as its bytes, and the same text when it is looked at again.
func FuzzParse(f *testing.F) {
	f.Add("pay_", id.New("pay_"))
	f.Add("", id.New(""))
	f.Add("a", "a7zzzzzzzzzzzzzzzzzzzzzzzzz")
	f.Fuzz(func(t *testing.T, prefix, s string) {
		uuid, err := id.Parse(prefix, s)
		if err != nil {
			if uuid != [16]byte{} {
				t.Fatalf("an error and a value: %x", uuid)
			}
			return
		}
		if len(s) != len(prefix)+id.Len || uuid[6]>>4 != 7 {
			t.Fatalf("Parse(%q, %q) accepted %x", prefix, s, uuid)
		}
		if _, err := id.Time(s); err != nil {
			t.Fatalf("parses but has no time: %q", s)
		}
	})
}

func BenchmarkNew(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		id.New("pay_")
	}
}

func BenchmarkNewParallel(b *testing.B) {
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			id.New("pay_")
		}
	})
}

func BenchmarkValid(b *testing.B) {
	s := id.New("pay_")
	b.ReportAllocs()
	for b.Loop() {
		if id.Valid("pay_", s) != nil {
			b.Fatal(s)
		}
	}
}
