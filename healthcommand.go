package ashlar

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"time"

	"github.com/ashlar-go/ashlar/config"
)

// healthCommand asks the app that serves beside it how it is. An image without
// a shell has nothing else to ask with.
type healthCommand struct {
	Live      bool          `help:"Ask whether the process is alive (/livez) instead of whether it can serve (/readyz)."`
	AdminAddr string        `help:"Where health is served (ASHLAR_ADMIN_ADDR)."`
	Timeout   time.Duration `default:"3s" help:"How long the answer may take."`
}

// AfterApply is called by the parser.
func (c *healthCommand) AfterApply() error { return setenv("ASHLAR_ADMIN_ADDR", c.AdminAddr) }

func (healthCommand) alone() {}

func (c healthCommand) run(ctx context.Context, _ *App, io console) error {
	addr, err := adminAddr()
	if err != nil {
		return err
	}
	path := "/readyz"
	if c.Live {
		path = "/livez"
	}
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	body, err := probe(ctx, "http://"+addr+path)
	if err != nil {
		return err
	}
	io.printf("%s\n", body)
	return nil
}

// adminAddr is where a process on this machine reaches the admin listener. Of
// all settings only its address is read: the others may be wrong or missing,
// and that is for the app that serves to say.
func adminAddr() (string, error) {
	at, err := config.Load[struct {
		AdminAddr string `env:"ASHLAR_ADMIN_ADDR" default:"127.0.0.1:9090"`
	}](os.LookupEnv)
	if err != nil {
		return "", err
	}
	host, port, err := net.SplitHostPort(at.AdminAddr)
	if err != nil {
		return "", fmt.Errorf("ASHLAR_ADMIN_ADDR: %w", err)
	}
	ip, err := netip.ParseAddr(host)
	switch {
	case host == "" || err == nil && ip.Is4() && ip.IsUnspecified():
		host = "127.0.0.1" // who listens everywhere is heard here
	case err == nil && ip.IsUnspecified():
		host = "::1"
	}
	return net.JoinHostPort(host, port), nil
}

// probe returns the answer if it is 200. It asks that address and nothing
// else: no proxy of the environment, and no place it is sent on to.
func probe(ctx context.Context, url string) (body []byte, err error) {
	transport := &http.Transport{DisableKeepAlives: true}
	client := &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return nil, err
	}
	response, err := client.Do(request)
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }() // it was only read
	const most = 4 << 10
	body, err = io.ReadAll(io.LimitReader(response.Body, most))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", url, err)
	}
	body = bytes.Join(bytes.Fields(body), []byte(" ")) // one line
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s: %s", url, response.Status, body)
	}
	return body, nil
}
