package ashlar

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/ashlar-go/ashlar/auth"
)

// keyFile is where the signing keys are kept that nobody gave.
func (c Config) keyFile() string { return filepath.Join(c.DataDir, "signing.key") }

// openKeys reads the signing keys. For a command that serves nothing a key
// that nobody will see again is enough.
func (a *App) openKeys(throwaway bool) (*auth.Keys, error) {
	switch {
	case throwaway:
		return auth.NewKeys(auth.GenerateKey())
	case !a.cfg.SigningKeys.IsZero():
		keys, err := auth.ParseKeys(a.cfg.SigningKeys.Reveal())
		if err != nil {
			return nil, fmt.Errorf("ASHLAR_SIGNING_KEYS: %w", err)
		}
		return keys, nil
	}
	keys, err := auth.LoadOrCreateKeys(a.cfg.keyFile())
	if err != nil {
		return nil, fmt.Errorf("ASHLAR_DATA_DIR: %w", err)
	}
	return keys, nil
}

// Every process has a new list of keys before a key of it signs: the file is
// looked at this often, and a rotation waits several times as long.
const (
	followKeysEvery = time.Second
	rotateFileIn    = 5 * time.Second
)

// followKeys takes up the key file when it changes, until ctx ends. A file that
// cannot be read changes nothing: the keys that are there go on.
func (a *App) followKeys(ctx context.Context) error {
	if !a.cfg.SigningKeys.IsZero() {
		<-ctx.Done() // the environment of a process does not change
		return nil
	}
	tick := time.NewTicker(followKeysEvery)
	defer tick.Stop()
	var seen fs.FileInfo
	failing := false
	for {
		info, err := os.Stat(a.cfg.keyFile())
		if err == nil && !sameFile(seen, info) {
			if err = a.reloadKeys(ctx); err == nil {
				seen = info
			}
		}
		if err != nil && !failing {
			a.Log.ErrorContext(ctx, "signing keys cannot be read again", "error", err)
		}
		failing = err != nil
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

func sameFile(a, b fs.FileInfo) bool {
	return a != nil && os.SameFile(a, b) && a.ModTime().Equal(b.ModTime()) && a.Size() == b.Size()
}

func (a *App) reloadKeys(ctx context.Context) error {
	before := a.signing.List()
	keys, err := auth.LoadKeys(a.cfg.keyFile())
	if err != nil {
		return err
	}
	a.signing.Replace(keys)
	if after := keys.List(); before[0].ID() != after[0].ID() {
		a.Log.InfoContext(ctx, "signing keys changed", "keys", len(after), "first", after[0].ID())
	}
	return nil
}

// keysCommand makes and changes signing keys.
type keysCommand struct {
	New    keysNew    `cmd:"" help:"Print a new key for ASHLAR_SIGNING_KEYS."`
	Rotate keysRotate `cmd:"" help:"Have a new key sign, and the present ones verify until their tokens have expired."`
	List   keysList   `cmd:"" help:"List the keys: what each is for, and until when."`
}

type keysNew struct {
	Algorithm auth.Algorithm `enum:"EdDSA,ES256,HS256" default:"EdDSA" help:"EdDSA, ES256 or HS256."`
}

func (keysNew) alone() {}

func (c keysNew) run(_ context.Context, _ *App, io console) error {
	key, err := auth.NewKey(c.Algorithm)
	if err != nil {
		return err
	}
	return io.table(key.Secret().Reveal())
}

type keysRotate struct {
	In        *time.Duration `help:"When the new key begins to sign; every instance must have it by then. 5s if the keys are in a file of the data directory, which a running app follows, and 1h if they are in ASHLAR_SIGNING_KEYS."`
	Algorithm auth.Algorithm `help:"EdDSA, ES256 or HS256; that of the present key if not set."`
}

func (c keysRotate) run(_ context.Context, a *App, io console) error {
	wait := rotateFileIn
	given := !a.cfg.SigningKeys.IsZero()
	if given {
		wait = time.Hour
	}
	if c.In != nil {
		wait = *c.In
	}
	if wait < 0 {
		return errors.New("--in must not be in the past")
	}
	at := time.Now().Add(wait).UTC().Truncate(time.Second)
	if !given {
		keys, err := auth.RotateKeys(a.cfg.keyFile(), c.Algorithm, at)
		if err != nil {
			return err
		}
		io.printf("key %s signs from %s on\n", keys.List()[0].ID(), at.Format(time.RFC3339))
		return nil
	}
	if c.Algorithm == "" {
		c.Algorithm = a.signing.Signer(time.Now()).Algorithm()
	}
	next, err := auth.NewKey(c.Algorithm)
	if err != nil {
		return err
	}
	keys, err := a.signing.Rotated(next, at)
	if err != nil {
		return err
	}
	io.printf("# Set ASHLAR_SIGNING_KEYS to the line below in every instance before %s, when key %s begins to sign.\n%s\n",
		at.Format(time.RFC3339), next.ID(), keys.Secret().Reveal())
	return nil
}

type keysList struct{}

func (keysList) run(_ context.Context, a *App, io console) error {
	now := time.Now()
	signer := a.signing.Signer(now)
	rows := []string{"KEY\tALGORITHM\tSIGNS"}
	for i, key := range a.signing.List() {
		signs := "no more"
		switch {
		case key.ID() == signer.ID() && key.Retired().IsZero():
			signs = "now"
		case key.ID() == signer.ID():
			signs = "until " + key.Retired().UTC().Format(time.RFC3339)
		case i == 0:
			signs = "from " + signer.Retired().UTC().Format(time.RFC3339) + " on"
		}
		rows = append(rows, key.ID()+"\t"+string(key.Algorithm())+"\t"+signs)
	}
	return io.table(rows...)
}
