package deploytest_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/coreos/go-systemd/v22/unit"
)

// drained is how long an app may take to end: its requests ASHLAR_DRAIN_TIMEOUT,
// its jobs as long after them, and a little to close what is open.
const drained = 20*time.Second + 20*time.Second + 5*time.Second

// service returns what is wrong with a unit, each finding with its rule.
func service(text []byte) (findings []string) {
	options, err := unit.Deserialize(bytes.NewReader(text))
	if err != nil {
		return []string{"syntax: " + err.Error()}
	}
	set, secret := map[string]string{}, map[string]string{}
	for _, o := range options {
		for _, word := range strings.Fields(o.Value) {
			name, value, ok := strings.Cut(word, "=")
			switch {
			case o.Name == "Environment" && ok:
				set["env "+name] = value
			case o.Name == "LoadCredential":
				id, file, _ := strings.Cut(word, ":")
				secret["%d/"+id] = file
			}
		}
		if o.Name == "SystemCallFilter" {
			set[o.Name+" "+o.Value] = "yes"
		}
		set[o.Name] = o.Value
	}
	say := func(when bool, finding string) {
		if when {
			findings = append(findings, finding)
		}
	}
	// What it may do to the machine: each of these is off unless it is said.
	for name, want := range map[string]string{
		"DynamicUser": "yes", "NoNewPrivileges": "yes", "CapabilityBoundingSet": "", "AmbientCapabilities": "",
		"ProtectSystem": "strict", "ProtectHome": "yes", "PrivateTmp": "yes", "PrivateDevices": "yes", "PrivateUsers": "yes",
		"ProtectProc": "invisible", "ProtectClock": "yes", "ProtectControlGroups": "yes", "ProtectHostname": "yes",
		"ProtectKernelLogs": "yes", "ProtectKernelModules": "yes", "ProtectKernelTunables": "yes",
		"RestrictNamespaces": "yes", "RestrictRealtime": "yes", "RestrictSUIDSGID": "yes",
		"LockPersonality": "yes", "MemoryDenyWriteExecute": "yes", "RemoveIPC": "yes", "UMask": "0077",
		"RestrictAddressFamilies": "AF_INET AF_INET6 AF_UNIX", "SystemCallArchitectures": "native",
		"SystemCallFilter @system-service": "yes", "SystemCallFilter ~@privileged @resources": "yes", "SystemCallErrorNumber": "EPERM",
	} {
		if have, said := set[name]; !said || have != want {
			findings = append(findings, fmt.Sprintf("P16.14: %s is %q, not %q", name, have, want))
		}
	}
	_, pids := set["ProcSubset"]
	say(pids, "ProcSubset: metrics read /proc/stat, and Go /proc/sys/net/core/somaxconn")

	for name, value := range set {
		if variable, ok := strings.CutPrefix(name, "env "); ok && secretName.MatchString(strings.TrimSuffix(variable, "_FILE")) {
			say(secret[value] == "", "P6.3: "+variable+" is no credential")
		}
	}
	say(set["env ASHLAR_SIGNING_KEYS_FILE"] == "", "P6.3: no signing keys")
	say(set["env ASHLAR_ENV"] != "production", "P5.15: it does not say that it is production")
	say(set["StateDirectoryMode"] != "0700" || set["env ASHLAR_DATA_DIR"] != "%S/"+set["StateDirectory"], "state: it keeps its data where it may not write, or others may read")
	say(!strings.HasPrefix(set["ExecStart"], "/") || strings.ContainsAny(set["ExecStart"], "|;&$"), "P8.2: the program is not started directly")
	say(set["Restart"] != "on-failure" || set["RestartPreventExitStatus"] != "2", "P2.6: it is not started again, or again and again with a wrong command line")
	say(set["KillMode"] != "mixed", "P14.4: workers are told to stop behind their parent's back")
	stop, err := time.ParseDuration(set["TimeoutStopSec"] + "s")
	say(err != nil || stop < drained, "P14.4: it is killed while it drains")
	say(set["LimitNOFILE"] != "65536", "files: 20000 streams need more descriptors than systemd gives")
	workers, err := strconv.Atoi(set["env ASHLAR_WORKERS"])
	memory, wrong := strconv.Atoi(set["env ASHLAR_WORKER_MEMORY"])
	say(err != nil || wrong != nil || set["MemoryMax"] != "1G" || memory*(workers+1) > 1024*9/10, "P8.7: the workers, with one more in a reload, may have more than the service")
	start, err := strconv.Atoi(set["TimeoutStartSec"])
	say(set["Type"] != "notify" || set["NotifyAccess"] != "main" || err != nil || start < 120, "P14.1: it is taken for ready before it is, or is not waited for")
	say(set["WatchdogSec"] == "", "P2.6: nobody notices that it hangs")
	program, _, _ := strings.Cut(set["ExecStart"], " ")
	say(set["ExecReload"] != program+" reload", "P5.16: a reload loses requests, or does not say that it failed")
	say(set["RuntimeDirectoryMode"] != "0700" || set["env ASHLAR_RUN_DIR"] != "%t/"+set["RuntimeDirectory"], "run: others may command it")
	return findings
}

func TestSystemd(t *testing.T) {
	t.Parallel()
	text := read(t, "../systemd/shop.service")
	if found := service(text); len(found) > 0 {
		t.Errorf("deploy/systemd/shop.service:\n%s", strings.Join(found, "\n"))
	}
	for rule, change := range map[string][2]string{
		"syntax":                   {"[Service]", "Service"},
		"P16.14: DynamicUser":      {"DynamicUser=yes\n", ""},
		"P16.14: NoNewPrivileges":  {"NoNewPrivileges=yes", "NoNewPrivileges=no"},
		"P16.14: Capability":       {"CapabilityBoundingSet=\n", "CapabilityBoundingSet=CAP_NET_ADMIN\n"},
		"P16.14: ProtectSystem":    {"ProtectSystem=strict", "ProtectSystem=full"},
		"P16.14: RestrictAddress":  {"AF_INET AF_INET6", "AF_NETLINK AF_INET AF_INET6"},
		"P16.14: SystemCallFilter": {"SystemCallFilter=@system-service\n", ""},
		"P16.14: UMask":            {"UMask=0077", "UMask=0022"},
		"ProcSubset":               {"ProtectProc=invisible", "ProtectProc=invisible\nProcSubset=pid"},
		"P6.3: DATABASE_URL":       {"Environment=ASHLAR_ENV", "Environment=DATABASE_URL=postgres://shop:secret@db/shop ASHLAR_ENV"},
		"P6.3: ASHLAR":             {"LoadCredential=signing-keys:", "LoadCredential=other:"},
		"P6.3: no":                 {"Environment=ASHLAR_SIGNING_KEYS_FILE", "Environment=OTHER"},
		"P5.15":                    {"ASHLAR_ENV=production", "ASHLAR_ENV=development"},
		"state":                    {"StateDirectory=shop", "StateDirectory=other"},
		"P8.2":                     {"ExecStart=/usr", "ExecStart=sh -c /usr"},
		"P2.6: it":                 {"Restart=on-failure", "Restart=no"},
		"P14.4: workers":           {"KillMode=mixed", "KillMode=control-group"},
		"P14.4: it":                {"TimeoutStopSec=60", "TimeoutStopSec=30"},
		"files":                    {"LimitNOFILE=65536\n", ""},
		"P8.7":                     {"ASHLAR_WORKERS=2", "ASHLAR_WORKERS=4"},
		"P14.1":                    {"Type=notify", "Type=exec"},
		"P2.6: nobody":             {"WatchdogSec=30\n", ""},
		"P5.16":                    {"ExecReload=/usr/local/bin/shop reload", "ExecReload=/bin/kill -HUP $MAINPID"},
		"run":                      {"RuntimeDirectoryMode=0700", "RuntimeDirectoryMode=0755"},
	} {
		spoilt := bytes.Replace(text, []byte(change[0]), []byte(change[1]), 1)
		if bytes.Equal(spoilt, text) {
			t.Errorf("%s: shop.service does not have %q", rule, change[0])
		}
		bites(t, rule, service(spoilt))
	}
}

// socket returns what is wrong with the unit of a socket beside a service.
func socket(text, conf []byte) (findings []string) {
	options, err := unit.Deserialize(bytes.NewReader(text))
	if err != nil {
		return []string{"syntax: " + err.Error()}
	}
	set, listens := map[string]string{}, 0
	for _, o := range options {
		if set[o.Name] = o.Value; strings.HasPrefix(o.Name, "Listen") {
			listens++
		}
	}
	say := func(when bool, finding string) {
		if when {
			findings = append(findings, finding)
		}
	}
	at := ""
	for line := range strings.Lines(string(conf)) {
		if value, ok := strings.CutPrefix(strings.TrimSpace(line), "ASHLAR_ADDR="); ok {
			at = value
		}
	}
	say(listens != 1 || set["ListenStream"] != at, "P16.2: it listens elsewhere than the service would, at "+set["ListenStream"])
	say(set["FileDescriptorName"] != "public", "name: the app takes it for another socket")
	say(set["Accept"] != "" && set["Accept"] != "no", "P14.1: a process for each connection")
	backlog, err := strconv.Atoi(set["Backlog"])
	say(err != nil || backlog < 1024, "P14.1: connections that come during a restart are refused")
	say(set["Service"] != "", "name: it is not for the service beside it")
	say(set["WantedBy"] != "sockets.target", "P2.6: it is not there after a start of the machine")
	return findings
}

func TestSystemdSocket(t *testing.T) {
	t.Parallel()
	text, conf := read(t, "../systemd/shop.socket"), read(t, "../systemd/shop.conf")
	if found := socket(text, conf); len(found) > 0 {
		t.Errorf("deploy/systemd/shop.socket:\n%s", strings.Join(found, "\n"))
	}
	for rule, change := range map[string][2]string{
		"syntax":             {"[Socket]", "Socket"},
		"P16.2":              {"ListenStream=127.0.0.1:8080", "ListenStream=8080"},
		"name: the app":      {"FileDescriptorName=public\n", ""},
		"P14.1: a process":   {"Backlog", "Accept=yes\nBacklog"},
		"P14.1: connections": {"Backlog=4096", "Backlog=5"},
		"name: it":           {"Backlog", "Service=other.service\nBacklog"},
		"P2.6":               {"sockets.target", "multi-user.target"},
	} {
		spoilt := bytes.Replace(text, []byte(change[0]), []byte(change[1]), 1)
		if bytes.Equal(spoilt, text) {
			t.Errorf("%s: shop.socket does not have %q", rule, change[0])
		}
		bites(t, rule, socket(spoilt, conf))
	}
}

// TestSystemdEnvironment: no secret is in a file that everybody reads, and
// nothing in it says again, or otherwise, what the unit says.
func TestSystemdEnvironment(t *testing.T) {
	t.Parallel()
	unit := string(read(t, "../systemd/shop.service"))
	for line := range strings.Lines(string(read(t, "../systemd/shop.conf"))) {
		name, value, ok := strings.Cut(strings.TrimSpace(line), "=")
		switch {
		case line == "\n" || line[0] == '#':
		case !ok || value == "":
			t.Errorf("%q sets nothing", line)
		case secretName.MatchString(name):
			t.Errorf("P6.3: %s in plain text", name)
		case strings.Contains(unit, name+"="):
			t.Errorf("%s is in the unit too", name)
		case name == "ASHLAR_ADMIN_ADDR" && !strings.HasPrefix(value, "127.0.0.1:"):
			t.Errorf("P10.14: the admin listener is at %s", value)
		}
	}
}

// TestSystemdItself has systemd read the unit, and judge what is left open to
// the service: 0 is nothing, 10 (here 100) is all.
func TestSystemdItself(t *testing.T) {
	t.Parallel()
	tool, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("systemd-analyze is not here: install systemd (nothing of it need run)")
	}
	// It looks for the program, too.
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	text := bytes.ReplaceAll(read(t, "../systemd/shop.service"), []byte("=/usr/local/bin/shop"), []byte("="+program))
	open := read(t, "../systemd/shop.socket")
	name := "shop.service"
	run := func(text []byte, args ...string) (string, error) {
		dir := t.TempDir() // with both units, each of which names the other
		for name, text := range map[string][]byte{"shop.socket": open, "shop.service": text} {
			if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		file := filepath.Join(dir, name)
		out, err := exec.CommandContext(t.Context(), tool, append(slices.Clone(args), file)...).CombinedOutput()
		return string(out), err
	}
	if out, err := run(text, "verify"); err != nil || out != "" {
		t.Errorf("verify: %v\n%s", err, out)
	}
	if out, err := run(bytes.Replace(text, []byte("KillMode=mixed"), []byte("KilMode=mixed"), 1), "verify"); !strings.Contains(out, "KilMode") {
		t.Errorf("verify does not see a word that it does not know: %v\n%s", err, out)
	}
	name = "shop.socket"
	if out, err := run(text, "verify"); err != nil || out != "" {
		t.Errorf("verify of the socket: %v\n%s", err, out)
	}
	open = bytes.Replace(open, []byte("ListenStream=127.0.0.1:8080"), []byte("ListenStream=127.0.0.1:808080"), 1)
	if out, _ := run(text, "verify"); !strings.Contains(out, "808080") {
		t.Errorf("verify does not see an address that cannot be: %s", out)
	}
	name = "shop.service"
	if out, _ := run(text, "security", "--help"); !strings.Contains(out, "--offline") {
		t.Skip("this systemd-analyze judges running services only: version 250 or newer is needed")
	}
	if out, err := run(text, "security", "--offline=true", "--threshold=15"); err != nil {
		t.Errorf("more is left open than 1.5 of 10: %v\n%s", err, out)
	}
	if _, err := run(bytes.ReplaceAll(text, []byte("SystemCallFilter"), []byte("#")), "security", "--offline=true", "--threshold=15"); err == nil {
		t.Error("all system calls are allowed, and it is content")
	}
}
