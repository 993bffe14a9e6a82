package backing_test

import (
	"bufio"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/internal/backing"
)

// ping reports whether the server at addr answers within a while.
func ping(t *testing.T, addr string) bool {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return false
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(300 * time.Millisecond))
	conn.Write([]byte("PING\r\n"))
	answer, _ := bufio.NewReader(conn).ReadString('\n')
	return strings.HasPrefix(answer, "+PONG")
}

func TestRedisServerDiesAndComesBack(t *testing.T) {
	t.Parallel()
	s := backing.RedisServer(t)
	if !ping(t, s.Addr()) {
		t.Error("a server that was started does not answer")
	}
	s.Stop()
	if ping(t, s.Addr()) {
		t.Error("a server that was stopped answers")
	}
	s.Start()
	if !ping(t, s.Addr()) {
		t.Error("a server that runs on does not answer")
	}
	s.Kill()
	if ping(t, s.Addr()) {
		t.Error("a server that was killed answers")
	}
	s.Start()
	if !ping(t, s.Addr()) {
		t.Error("a server that was started again does not answer")
	}
}

func TestRedisPrefixesDiffer(t *testing.T) {
	t.Parallel()
	url, one := backing.Redis(t)
	if !strings.HasPrefix(url, "redis") {
		t.Errorf("got the URL %q", url)
	}
	if _, two := backing.Redis(t); one == two {
		t.Errorf("two tests got the prefix %q", one)
	}
}
