package deploy

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
)

// How says what happens to files that somebody has changed.
type How int

// Changed files stop all of it, are left as they are, or are written over.
const (
	Refuse How = iota
	Keep
	Force
)

// Write brings the files of targets in the module at root up to date, and
// returns the paths of those it wrote and of those it left to who changed them.
// Where it refuses, it has written nothing.
func Write(root string, app App, targets []Target, how How) (wrote, left []string, err error) {
	files, err := plan(app, targets)
	if err != nil {
		return nil, nil, err
	}
	old, err := readRecord(root)
	if err != nil {
		return nil, nil, err
	}
	// Nothing is written through a link that leads out of the module.
	disk, err := os.OpenRoot(root)
	if err != nil {
		return nil, nil, err
	}
	defer func() { err = errors.Join(err, disk.Close()) }()

	for _, name := range slices.Sorted(maps.Keys(files)) {
		switch state, err := look(disk, old, name, files[name]); {
		case err != nil:
			return nil, nil, err
		case state == changed && how != Force:
			left = append(left, name)
		case state != current:
			wrote = append(wrote, name)
		}
	}
	if len(left) > 0 && how == Refuse {
		errs := make([]error, 0, len(left)+1)
		for _, name := range left {
			errs = append(errs, fmt.Errorf("%s is not as it was written: somebody has changed it", name))
		}
		return nil, left, errors.Join(append(errs, errors.New("nothing was written; --keep leaves those files as they are, --force writes over them"))...)
	}
	for _, name := range wrote {
		if err := put(disk, name, files[name]); err != nil {
			return nil, nil, err
		}
	}

	old.app = app
	for name, text := range files {
		if !slices.Contains(left, name) {
			old.sums[name] = sumOf(text)
		}
	}
	for _, t := range targets {
		old.targets = append(old.targets, t.Name)
	}
	slices.Sort(old.targets)
	old.targets = slices.Compact(old.targets)
	return wrote, left, put(disk, Record, old.String())
}

func put(disk *os.Root, name, text string) error {
	if err := disk.MkdirAll(filepath.FromSlash(path.Dir(name)), 0o755); err != nil {
		return err
	}
	return disk.WriteFile(filepath.FromSlash(name), []byte(text), 0o644)
}

// Check compares the files of targets with what would be written, or of all
// that the record names if there are none. Files that somebody has changed are
// theirs, and are returned; what is stale or gone is the error.
func Check(root string, app App, targets []Target) (left []string, err error) {
	old, err := readRecord(root)
	if err != nil {
		return nil, err
	}
	if len(targets) == 0 {
		if targets, err = Choose(old.targets); err != nil {
			return nil, fmt.Errorf("%s: %w", Record, err)
		}
	}
	if len(targets) == 0 {
		return nil, errors.New("nothing to check: ashlar deploy has written nothing here yet")
	}
	files, err := plan(app, targets)
	if err != nil {
		return nil, err
	}
	disk, err := os.OpenRoot(root)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, disk.Close()) }()
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(files)) {
		state, err := look(disk, old, name, files[name])
		switch {
		case err != nil:
			return nil, err
		case state == missing:
			errs = append(errs, fmt.Errorf("%s is not there; run: ashlar deploy", name))
		case state == stale:
			errs = append(errs, fmt.Errorf("%s is stale; run: ashlar deploy", name))
		case state == changed:
			left = append(left, name)
		}
	}
	return left, errors.Join(errs...)
}

// state is how a file stands to what would be written.
type state int

const (
	current state = iota
	missing
	stale   // as it was written once
	changed // by somebody
)

func look(disk *os.Root, old record, name, want string) (state, error) {
	have, err := disk.ReadFile(filepath.FromSlash(name))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return missing, nil
	case err != nil:
		return 0, err
	case string(have) == want:
		return current, nil
	case sumOf(string(have)) == old.sums[name]:
		return stale, nil
	}
	return changed, nil
}
