package supervise

import (
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
)

// Activated returns the listening sockets that a service manager opened for this
// process, by name; see sd_listen_fds(3). Those without a name of their own get
// the names of unnamed in their order. It is empty where no manager did, and
// takes what it read out of the environment. Descriptors are taken over: call it
// once.
func Activated(unnamed ...string) (map[string]net.Listener, error) {
	pid, count, names := os.Getenv("LISTEN_PID"), os.Getenv("LISTEN_FDS"), os.Getenv("LISTEN_FDNAMES")
	if count == "" || pid != strconv.Itoa(os.Getpid()) {
		return nil, nil //nolint:nilnil // an empty map is an answer
	}
	for _, name := range []string{"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"} {
		if err := os.Unsetenv(name); err != nil {
			return nil, err
		}
	}
	n, err := strconv.Atoi(count)
	if err != nil || n < 0 {
		return nil, fmt.Errorf("supervise: LISTEN_FDS is %q, and no number", count)
	}
	var given []string
	if names != "" {
		given = strings.Split(names, ":")
	}
	sockets := map[string]net.Listener{}
	var errs []error
	next := 0
	for i := range n {
		f := os.NewFile(uintptr(firstDescriptor+i), "activated")
		l, err := net.FileListener(f)
		_ = f.Close() // FileListener has made a duplicate
		if err != nil {
			errs = append(errs, fmt.Errorf("supervise: socket %d of the service manager cannot be accepted from: %w", i+1, err))
			continue
		}
		name := "" // a unit without FileDescriptorName gives its own, which says nothing
		if i < len(given) && slices.Contains(unnamed, given[i]) {
			name = given[i]
		} else if next < len(unnamed) {
			name = unnamed[next]
			next++
		}
		if _, twice := sockets[name]; twice || name == "" {
			errs = append(errs, fmt.Errorf("supervise: socket %d of the service manager is one too many: name them by FileDescriptorName, %s", i+1, strings.Join(unnamed, " or ")), l.Close())
			continue
		}
		sockets[name] = l
	}
	if err := errors.Join(errs...); err != nil {
		for _, l := range sockets {
			_ = l.Close()
		}
		return nil, err
	}
	return sockets, nil
}
