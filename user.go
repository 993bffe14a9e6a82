package ashlar

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/term"

	"github.com/ashlar-go/ashlar/auth"
	"github.com/ashlar-go/ashlar/fault"
)

// userCommand manages the people who can sign in.
type userCommand struct {
	Add      userAdd      `cmd:"" help:"Add a person; the password is asked for, or read from standard input."`
	List     userList     `cmd:"" help:"List everybody, oldest first."`
	Disable  userDisable  `cmd:"" help:"Keep a person from signing in, and end their sessions."`
	Enable   userEnable   `cmd:"" help:"Let a disabled person sign in again."`
	Role     userRole     `cmd:"" help:"Give a person another role."`
	Password userPassword `cmd:"" help:"Set a person's password, and end their sessions; it is asked for, or read from standard input."`
}

type userAdd struct {
	Email  string `required:"" help:"Address to sign in with."`
	Role   string `required:"" help:"One of the app's roles."`
	Tenant string `help:"Account that the person belongs to; empty for the operator's own staff."`
}

func (c userAdd) run(ctx context.Context, a *App, io console) error {
	if err := a.knowsRole(c.Role); err != nil {
		return err
	}
	if err := a.migrateAtStart(ctx); err != nil {
		return err
	}
	password, err := readPassword(io)
	if err != nil {
		return err
	}
	account, err := a.Accounts.Create(ctx, auth.NewAccount{Email: c.Email, Password: password, Role: c.Role, Tenant: c.Tenant})
	if err != nil {
		return readable(err)
	}
	io.printf("%s %s (%s)\n", account.ID, account.Email, account.Role)
	return nil
}

func (a *App) knowsRole(role string) error {
	if !a.Policy.Knows(role) {
		return fmt.Errorf("there is no role %q; the roles are %s", role, strings.Join(a.Policy.Roles(), ", "))
	}
	return nil
}

// someone is the person that a command is about.
type someone struct {
	Email string `arg:"" help:"Address that the person signs in with."`
}

// alter finds the person and changes their account. Servers that run learn of
// it from the database, within a second.
func (c someone) alter(ctx context.Context, a *App, io console, done string, change func(id string) error) error {
	if err := a.migrateAtStart(ctx); err != nil {
		return err
	}
	account, err := a.Accounts.ByEmail(ctx, c.Email)
	if errors.Is(err, auth.ErrNoAccount) {
		return fmt.Errorf("there is nobody with the address %s", c.Email)
	}
	if err != nil {
		return err
	}
	if err := change(account.ID); err != nil {
		return readable(err)
	}
	io.printf("%s %s %s\n", account.ID, account.Email, done)
	return nil
}

type userDisable struct{ someone }

func (c userDisable) run(ctx context.Context, a *App, io console) error {
	return c.alter(ctx, a, io, "is disabled", func(id string) error { return a.Accounts.Disable(ctx, id) })
}

type userEnable struct{ someone }

func (c userEnable) run(ctx context.Context, a *App, io console) error {
	return c.alter(ctx, a, io, "may sign in", func(id string) error { return a.Accounts.Enable(ctx, id) })
}

type userRole struct {
	someone
	Role string `arg:"" help:"One of the app's roles."`
}

func (c userRole) run(ctx context.Context, a *App, io console) error {
	if err := a.knowsRole(c.Role); err != nil {
		return err
	}
	return c.alter(ctx, a, io, "is "+c.Role, func(id string) error { return a.Accounts.SetRole(ctx, id, c.Role) })
}

type userPassword struct{ someone }

func (c userPassword) run(ctx context.Context, a *App, io console) error {
	return c.alter(ctx, a, io, "has another password", func(id string) error {
		password, err := readPassword(io)
		if err != nil {
			return err
		}
		return a.Accounts.SetPassword(ctx, id, password)
	})
}

// readable turns the faults of an account into sentences for a terminal.
func readable(err error) error {
	if errors.Is(err, auth.ErrEmailTaken) {
		return errors.New("--email: there is an account with this address already")
	}
	violations, ok := errors.AsType[fault.Violations](err)
	if !ok {
		return err
	}
	var list []error
	for _, v := range violations {
		list = append(list, fmt.Errorf("%s %s", strings.TrimPrefix(v.Pointer, "/"), v.Detail))
	}
	return errors.Join(list...)
}

// readPassword asks twice on a terminal, where a typing error cannot be seen,
// and reads one line otherwise.
func readPassword(c console) (string, error) {
	if !term.IsTerminal(int(c.in.Fd())) {
		line, err := bufio.NewReader(c.in).ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return "", fmt.Errorf("read the password: %w", err)
		}
		return strings.TrimRight(line, "\r\n"), nil
	}
	first, err := ask(c, "Password: ")
	if err != nil {
		return "", err
	}
	second, err := ask(c, "Again: ")
	if err != nil {
		return "", err
	}
	if first != second {
		return "", errors.New("the two passwords differ; nothing was changed")
	}
	return first, nil
}

func ask(c console, prompt string) (string, error) {
	_, _ = fmt.Fprint(os.Stderr, prompt)
	typed, err := term.ReadPassword(int(c.in.Fd()))
	_, _ = fmt.Fprintln(os.Stderr) // the typed line end was not shown
	if err != nil {
		return "", fmt.Errorf("read the password: %w", err)
	}
	return string(typed), nil
}

type userList struct{}

// listPage is how many accounts are read at a time.
const listPage = 500

func (userList) run(ctx context.Context, a *App, io console) error {
	if err := a.migrateAtStart(ctx); err != nil {
		return err
	}
	rows := []string{"ID\tEMAIL\tROLE\tTENANT\tCREATED\tDISABLED"}
	for after := ""; ; {
		page, err := a.Accounts.List(ctx, after, listPage)
		if err != nil {
			return err
		}
		for _, one := range page {
			rows = append(rows, strings.Join([]string{one.ID, one.Email, one.Role, one.Tenant, one.CreatedAt.UTC().Format(time.RFC3339), disabledSince(one)}, "\t"))
			after = one.ID
		}
		if len(page) < listPage {
			return io.table(rows...)
		}
	}
}

func disabledSince(a auth.Account) string {
	if a.DisabledAt == nil {
		return ""
	}
	return a.DisabledAt.UTC().Format(time.RFC3339)
}
