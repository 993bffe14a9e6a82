package torture

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

var (
	length = flag.Duration("torture.time", 0, "how long each setting is tortured; 0 is the short form, without clock jumps")
	seed   = flag.Uint64("torture.seed", 0, "which faults, when; 0 draws one and prints it")
)

// program is the payments example, built once for all tests.
var program string

func TestMain(m *testing.M) {
	flag.Parse()
	dir, err := os.MkdirTemp("", "torture")
	if err == nil {
		program = filepath.Join(dir, "payments")
		err = build(program)
	}
	if err != nil {
		_, _ = fmt.Fprintln(os.Stderr, "torture: build the program:", err)
		os.Exit(1)
	}
	code := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

// build compiles the program: as it is, or for the long form with a clock that
// can be set.
func build(to string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Minute)
	defer cancel()
	args := []string{"build", "-o", to}
	if *length > 0 {
		overlay, err := settableClock(ctx, filepath.Dir(to))
		if err != nil {
			return err
		}
		args = append(args, "-overlay", overlay)
	}
	out, err := exec.CommandContext(ctx, "go", append(args, "..")...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%w\n%s", err, out)
	}
	return nil
}
