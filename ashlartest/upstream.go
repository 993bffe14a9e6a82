package ashlartest

import (
	"context"
	"fmt"
	"net"
	"net/netip"

	"github.com/ashlar-go/ashlar/outbound"
	"github.com/ashlar-go/ashlar/outbound/outboundtest"
)

// Upstream plays a host that the app calls, by a script: a status, a delay, a
// reset, garbage, in order, and what it was asked can be read. No socket is
// opened, and in a bubble of testing/synctest a delay takes the time of the
// bubble. It is for the clients of [ashlar.App.Outbound] and of webhooks, and
// of whoever gives Within of the app to a client of their own.
//
//	bank := app.Upstream("https://bank.example", outboundtest.Reset, outboundtest.JSON(`{"balance":1}`))
//
// What the app calls besides is not there: such a call fails, and says so. Only
// addresses of loopback are those of the network, for servers of the test's own.
func (a *App) Upstream(url string, script ...outboundtest.Answer) *outboundtest.Upstream {
	a.t.Helper()
	return a.hosts.Play(a.t, url, script...)
}

// within is what the app's clients ask for a host.
func (a *App) within(address string) outbound.Connect {
	if connect := a.hosts.Within(address); connect != nil {
		return connect
	}
	host, _, err := net.SplitHostPort(address)
	if ip, _ := netip.ParseAddr(host); err == nil && (host == "localhost" || ip.IsLoopback()) {
		return nil
	}
	return func(context.Context) (net.Conn, error) {
		return nil, fmt.Errorf("the test does not play %s: have app.Upstream say what it answers", address)
	}
}

// SendWebhooks sends the webhooks that are due, one after another, and returns
// how many attempts that were. A webhook comes from an event or a job: call
// [App.Deliver] or [App.RunJobs] before.
func (a *App) SendWebhooks() int {
	a.t.Helper()
	a.Handler()
	hooks := a.Hooks()
	if hooks == nil {
		a.t.Fatal("the app has no webhooks: it does not call Webhooks")
	}
	n, err := hooks.SendDue(a.t.Context())
	if err != nil {
		a.t.Fatalf("send webhooks: %v", err)
	}
	return n
}
