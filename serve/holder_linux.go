package serve

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// holder names the process that listens on the port of addr, as far as /proc
// shows it to this user: others of the same user always, and all to root.
func holder(ctx context.Context, addr string) string {
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		return ""
	}
	number, err := net.DefaultResolver.LookupPort(ctx, "tcp", port)
	if err != nil {
		return ""
	}
	inodes := map[string]bool{}
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		listening(table, number, inodes)
	}
	if len(inodes) == 0 {
		return ""
	}
	links, err := filepath.Glob("/proc/[0-9]*/fd/*")
	if err != nil {
		return ""
	}
	for _, link := range links {
		to, err := os.Readlink(link)
		if err != nil || !inodes[to] {
			continue
		}
		pid := strings.Split(link, "/")[2]
		return describe(pid)
	}
	return ""
}

// listening notes the sockets of a table that listen on a port, as the links
// to them in /proc are called.
func listening(table string, port int, inodes map[string]bool) {
	text, err := os.ReadFile(table) //nolint:gosec // one of two constants
	if err != nil {
		return
	}
	const state, inode, listens = 3, 9, "0A"
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if len(fields) <= inode || fields[state] != listens {
			continue
		}
		_, hex, _ := strings.Cut(fields[1], ":")
		if n, err := strconv.ParseUint(hex, 16, 16); err == nil && int(n) == port {
			inodes["socket:["+fields[inode]+"]"] = true
		}
	}
}

// describe is a process by its id and its program. Arguments stay out: they may
// hold anything, and an error is logged.
func describe(pid string) string {
	command, err := os.ReadFile("/proc/" + pid + "/cmdline") //nolint:gosec // of a number
	program, _, _ := strings.Cut(string(command), "\x00")
	if err != nil || program == "" {
		return "process " + pid
	}
	return fmt.Sprintf("process %s (%s)", pid, program)
}
