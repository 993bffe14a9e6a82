package serve

import (
	"context"
	"log/slog"
	"net"
	"strings"
	"sync"
	"time"
)

// complaintsPerSecond bounds what a scanner can make us write.
const complaintsPerSecond = 10

// complaints turns what goes wrong below the handlers into WARN lines, a few
// per second. What was left out is counted on the next line that is written.
type complaints struct {
	log *slog.Logger

	mu      sync.Mutex
	second  int64
	written int
	omitted int
}

// Write takes one line of http.Server's ErrorLog.
func (c *complaints) Write(line []byte) (int, error) {
	c.warn("http server", slog.String("error", strings.TrimSpace(string(line))))
	return len(line), nil
}

func (c *complaints) refused(r Refused) {
	c.warn("request refused",
		slog.String("client_ip", withoutPort(r.Remote.String())),
		slog.Int("status", r.Status),
		slog.String("reason", r.Detail),
		slog.String("trace_id", r.TraceID))
}

func (c *complaints) handshake(remote net.Addr, err error) {
	c.warn("TLS handshake failed",
		slog.String("client_ip", withoutPort(remote.String())),
		slog.String("error", err.Error()))
}

func (c *complaints) warn(message string, attrs ...slog.Attr) {
	omitted, ok := c.admit(time.Now())
	if !ok {
		return
	}
	if omitted > 0 {
		attrs = append(attrs, slog.Int("omitted", omitted))
	}
	c.log.LogAttrs(context.Background(), slog.LevelWarn, message, attrs...)
}

// admit reports whether a line may be written now, and how many were not
// since the last one.
func (c *complaints) admit(now time.Time) (omitted int, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if second := now.Unix(); second != c.second {
		c.second, c.written = second, 0
	}
	if c.written == complaintsPerSecond {
		c.omitted++
		return 0, false
	}
	c.written++
	omitted, c.omitted = c.omitted, 0
	return omitted, true
}
