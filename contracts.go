package ashlar

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/ashlar-go/ashlar/contract"
	"github.com/ashlar-go/ashlar/openapi"
)

// contractCommand keeps what the app has promised.
type contractCommand struct {
	Check       contractCheck       `cmd:"" help:"Name each change since the baseline, and fail if one breaks consumers."`
	Acknowledge contractAcknowledge `cmd:"" help:"Say that a breaking change is meant, and why."`
	Accept      contractAccept      `cmd:"" help:"Make what the app promises now the baseline."`
}

// contractFiles are where promises are kept.
type contractFiles struct {
	Baseline     string `default:"contract/openapi.json" help:"The document that was promised."`
	Acknowledged string `help:"The breaking changes that are meant; acknowledged.json beside the baseline if not given."`
}

func (contractFiles) declared() {}

func (f contractFiles) acknowledged() string {
	if f.Acknowledged != "" {
		return f.Acknowledged
	}
	return filepath.Join(filepath.Dir(f.Baseline), "acknowledged.json")
}

// read returns the acknowledgements; a file that is not there has none.
func (f contractFiles) read() ([]contract.Acknowledgement, error) {
	text, err := os.ReadFile(f.acknowledged())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	all, err := contract.ReadAcknowledgements(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.acknowledged(), err)
	}
	return all, nil
}

func (f contractFiles) write(all []contract.Acknowledgement) error {
	if len(all) == 0 {
		if err := os.Remove(f.acknowledged()); !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	}
	text, err := contract.WriteAcknowledgements(all)
	if err != nil {
		return err
	}
	return os.WriteFile(f.acknowledged(), text, 0o644) //nolint:gosec // a file of the repository
}

// promised is the document as it is kept: without the version of the build,
// which is another each time.
func (a *App) promised() ([]byte, error) {
	return openapi.Document(openapi.Info{Title: a.title(), Scheme: string(a.scheme), Form: a.form}, a.operations)
}

// compare returns what has changed since the baseline.
func (f contractFiles) compare(a *App) (r contract.Report, current []byte, err error) {
	if current, err = a.promised(); err != nil {
		return r, nil, err
	}
	baseline, err := os.ReadFile(f.Baseline)
	if errors.Is(err, fs.ErrNotExist) {
		return r, current, fmt.Errorf("there is no baseline %s: make the first with \"contract accept\"", f.Baseline)
	}
	if err != nil {
		return r, current, err
	}
	acknowledged, err := f.read()
	if err != nil {
		return r, current, err
	}
	if r, err = contract.Check(baseline, current, acknowledged, time.Now()); err != nil {
		return r, current, fmt.Errorf("%s: %w", f.Baseline, err)
	}
	return r, current, nil
}

type contractCheck struct{ contractFiles }

func (c contractCheck) run(_ context.Context, a *App, io console) error {
	r, _, err := c.compare(a)
	if err != nil {
		return err
	}
	io.printf("%s", r)
	if n := len(r.Broken()); n > 0 {
		return fmt.Errorf("%d of %d changes break consumers and are not acknowledged", n, len(r.Findings))
	}
	if len(r.Findings) == 0 {
		io.printf("nothing has changed since %s\n", c.Baseline)
	}
	return nil
}

type contractAcknowledge struct {
	contractFiles

	ID     string `arg:"" help:"The change, as \"contract check\" writes it; a star instead of the operation means every one."`
	Reason string `required:"" help:"Why consumers can live with it."`
	Until  string `help:"The last day that it holds, as in 2027-01-31."`
}

func (c contractAcknowledge) run(_ context.Context, a *App, io console) error {
	all, err := c.read()
	if err != nil {
		return err
	}
	all = slices.DeleteFunc(all, func(one contract.Acknowledgement) bool { return one.ID == c.ID })
	all = append(all, contract.Acknowledgement{ID: c.ID, Reason: c.Reason, Date: time.Now().UTC().Format(time.DateOnly), Until: c.Until})
	text, err := contract.WriteAcknowledgements(all)
	if err != nil {
		return err
	}
	if _, err := contract.ReadAcknowledgements(text); err != nil {
		return err
	}
	r, _, err := c.compare(a)
	if err != nil {
		return err
	}
	changes := make([]contract.Change, len(r.Findings))
	for i, f := range r.Findings {
		changes[i] = f.Change
	}
	r = contract.Judge(changes, all, time.Now())
	if slices.ContainsFunc(r.Stale, func(one contract.Acknowledgement) bool { return one.ID == c.ID }) {
		return fmt.Errorf("there is no breaking change %q", c.ID)
	}
	if err := c.write(all); err != nil {
		return err
	}
	io.printf("acknowledged in %s; %d breaking changes are left\n", c.acknowledged(), len(r.Broken()))
	return nil
}

type contractAccept struct{ contractFiles }

// run writes the baseline. What it acknowledged is part of the baseline from
// then on, so the acknowledgements go: the history has them.
func (c contractAccept) run(_ context.Context, a *App, io console) error {
	r, current, err := c.compare(a)
	if _, missing := os.Stat(c.Baseline); err != nil && !errors.Is(missing, fs.ErrNotExist) || current == nil {
		return err
	}
	if broken := r.Broken(); len(broken) > 0 {
		io.printf("%s", r)
		return fmt.Errorf("%d changes break consumers: acknowledge them first, with \"contract acknowledge\"", len(broken))
	}
	if err := os.MkdirAll(filepath.Dir(c.Baseline), 0o755); err != nil { //nolint:gosec // a folder of the repository
		return err
	}
	if err := os.WriteFile(c.Baseline, current, 0o644); err != nil { //nolint:gosec // a file of the repository
		return err
	}
	if err := c.write(nil); err != nil {
		return err
	}
	io.printf("%s has what the app promises: %d changes\n", c.Baseline, len(r.Findings))
	return nil
}
