package outbound_test

import (
	"errors"
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"github.com/ashlar-go/ashlar/outbound"
)

// TestSpellings is the list of ways to write an address inside (P10.11). What
// is refused here is refused before anything is looked up or dialled.
func TestSpellings(t *testing.T) {
	t.Parallel()
	for raw, reason := range map[string]string{
		"http://127.0.0.1/":                      "loopback",
		"http://127.1.2.3/":                      "loopback",
		"http://127.0.0.1./":                     "loopback",
		"http://[::1]/":                          "loopback",
		"http://[0:0:0:0:0:0:0:1]/":              "loopback",
		"http://0.0.0.0/":                        "this network",
		"http://[::]/":                           "unspecified",
		"http://10.1.2.3/":                       "private",
		"http://172.16.0.1/":                     "private",
		"http://172.31.255.255/":                 "private",
		"http://192.168.1.1/":                    "private",
		"http://[fd00:ec2::254]/latest":          "private",
		"http://[fc00::1]/":                      "private",
		"http://169.254.169.254/latest":          "link-local",
		"http://[fe80::1]/":                      "link-local",
		"http://[fe80::1%25eth0]/":               "zone",
		"http://[fec0::1]/":                      "not public",
		"http://100.100.100.200/latest":          "shared",
		"http://192.0.0.192/opc":                 "assignments",
		"http://168.63.129.16/":                  "metadata",
		"http://198.19.0.1/":                     "benchmarking",
		"http://203.0.113.7/":                    "documentation",
		"http://224.0.0.1/":                      "multicast",
		"http://[ff02::1]/":                      "multicast",
		"http://255.255.255.255/":                "reserved",
		"http://[::ffff:127.0.0.1]/":             "loopback",
		"http://[::ffff:7f00:1]/":                "loopback",
		"http://[::127.0.0.1]/":                  "not public", // IPv4-compatible
		"http://[::ffff:0:127.0.0.1]/":           "not public", // IPv4-translated
		"http://[64:ff9b::127.0.0.1]/":           "loopback",   // NAT64
		"http://[64:ff9b::a9fe:a9fe]/":           "link-local",
		"http://[64:ff9b:1::10.0.0.1]/":          "not public", // NAT64 of one's own network
		"http://[2002:7f00:1::]/":                "6to4",
		"http://[2002:a9fe:a9fe::1]/":            "6to4",
		"http://[2001:0:7f00:1::]/":              "Teredo",
		"http://[2a00:1450::5efe:127.0.0.1]/":    "loopback", // ISATAP
		"http://[2a00:1450::200:5efe:10.0.0.1]/": "private",
		"http://[2001:db8::1]/":                  "documentation",
		"http://2130706433/":                     "few readers",
		"http://017700000001/":                   "few readers",
		"http://0x7f000001/":                     "few readers",
		"http://0x7F.1/":                         "few readers",
		"http://0177.0.0.1/":                     "few readers",
		"http://127.1/":                          "few readers",
		"http://127.0.0.01/":                     "few readers",
		"http://1.0x7f/":                         "few readers",
		"http://metadata.0x/":                    "few readers",
		"https://a@93.184.215.14/":               "credentials",
		"https://93.184.215.14:443@127.0.0.1/":   "credentials",
		"https://a.test@127.0.0.1/":              "credentials",
		"http://93.184.215.14:22/":               "port",
		"http://a.test:6379/":                    "port",
		"http://a.test:0/":                       "port",
		"http:///etc/passwd":                     "no host",
		"http:a.test":                            "no host",
		"file:///etc/passwd":                     "http",
		"gopher://a.test/":                       "http",
		"unix:///run/docker.sock":                "http",
		"http+unix://run/docker.sock":            "http",
		"ftp://a.test/":                          "http",
		"//a.test/":                              "http",
		"a.test":                                 "http",
	} {
		t.Run(raw, func(t *testing.T) {
			t.Parallel()
			u, err := url.Parse(raw)
			if err != nil {
				t.Fatal(err)
			}
			refusal, ok := errors.AsType[*outbound.Refusal](outbound.Config{}.CheckURL(u))
			if !ok || !strings.Contains(refusal.Reason, reason) {
				t.Fatalf("refusal %v, want %q", refusal, reason)
			}
			if res, err := outbound.New(outbound.Config{}).HTTP().Get(raw); err == nil {
				_ = res.Body.Close()
				t.Error("called")
			}
		})
	}
}

func TestWhatMayBeCalled(t *testing.T) {
	t.Parallel()
	inside := netip.MustParsePrefix("10.2.0.0/16")
	for name, c := range map[string]struct {
		cfg outbound.Config
		url string
		may bool
	}{
		"a public address":                  {outbound.Config{}, "https://93.184.215.14/a?b", true},
		"one of IPv6":                       {outbound.Config{}, "https://[2a00:1450:4001::1]/", true},
		"one behind NAT64":                  {outbound.Config{}, "https://[64:ff9b::93.184.215.14]/", true},
		"a name":                            {outbound.Config{}, "http://a.test/", true},
		"a name with digits":                {outbound.Config{}, "http://1.2.3.4.nip.test/", true},
		"the usual port, written":           {outbound.Config{}, "http://a.test:443/", true},
		"a network that is allowed":         {outbound.Config{Allow: []netip.Prefix{inside}}, "http://10.2.3.4:8080/", true},
		"its form of IPv6":                  {outbound.Config{Allow: []netip.Prefix{inside}}, "http://[::ffff:10.2.3.4]:8080/", true},
		"a neighbour of it":                 {outbound.Config{Allow: []netip.Prefix{inside}}, "http://10.3.3.4/", false},
		"another port of a public address":  {outbound.Config{Allow: []netip.Prefix{inside}}, "http://93.184.215.14:8080/", false},
		"a name that may lead to it":        {outbound.Config{Allow: []netip.Prefix{inside}}, "http://a.test:8080/", true},
		"a port that is allowed":            {outbound.Config{Ports: []uint16{8443}}, "https://a.test:8443/", true},
		"the usual port, which is not":      {outbound.Config{Ports: []uint16{8443}}, "https://a.test/", false},
		"an allowed network, another port":  {outbound.Config{Allow: []netip.Prefix{inside}, Ports: []uint16{8443}}, "https://10.2.3.4/", false},
		"a public network that is refused":  {outbound.Config{Refuse: []netip.Prefix{netip.MustParsePrefix("93.184.0.0/16")}}, "https://93.184.215.14/", false},
		"a refused part of an allowed one":  {outbound.Config{Allow: []netip.Prefix{inside}, Refuse: []netip.Prefix{netip.MustParsePrefix("10.2.0.1/32")}}, "https://10.2.0.1/", false},
		"a scheme in capitals, as is legal": {outbound.Config{}, "HTTPS://a.test/", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			u, err := url.Parse(c.url)
			if err != nil {
				t.Fatal(err)
			}
			if err := c.cfg.CheckURL(u); (err == nil) != c.may {
				t.Errorf("CheckURL = %v", err)
			}
		})
	}
}

// FuzzCheckURL looks for a spelling of an inner address that passes: whatever
// the host is, if it reads as an address then a public one.
func FuzzCheckURL(f *testing.F) {
	for _, seed := range []string{"http://127.0.0.1/", "http://[::ffff:127.0.0.1]:80", "http://0x7f.1", "https://a.test:443/", "http://[fe80::1%25a]/"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		u, err := url.Parse(raw)
		if err != nil || (outbound.Config{}).CheckURL(u) != nil {
			return
		}
		if u.Scheme != "http" && u.Scheme != "https" || u.User != nil || u.Hostname() == "" {
			t.Fatalf("%q passes", raw)
		}
		addr, err := netip.ParseAddr(strings.TrimSuffix(u.Hostname(), "."))
		if err == nil && (addr.IsPrivate() || addr.IsLoopback() || addr.IsLinkLocalUnicast() || addr.IsMulticast() || addr.IsUnspecified()) {
			t.Fatalf("%q passes and is %v", raw, addr)
		}
	})
}
