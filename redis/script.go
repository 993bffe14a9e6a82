package redis

import (
	"context"

	_ "embed" // the scripts

	"github.com/redis/rueidis"
)

// The scripts, by their place in [texts] and in a session's names.
const (
	takeScript = iota
	scripts
)

//go:embed take.lua
var takeText string

var texts = [scripts]string{takeText}

// eval runs a script. A server that was restarted, or another node of a
// cluster, gets its text first.
func (c *Client) eval(ctx context.Context, s *session, script int, keys, args []string) rueidis.RedisResult {
	b := s.client.B()
	r := c.do(ctx, s, b.Evalsha().Sha1(s.names[script]).Numkeys(int64(len(keys))).Key(keys...).Arg(args...).Build())
	if answer, ok := rueidis.IsRedisErr(r.Error()); ok && answer.IsNoScript() {
		r = c.do(ctx, s, b.Eval().Script(c.settings.texts[script]).Numkeys(int64(len(keys))).Key(keys...).Arg(args...).Build())
	}
	return r
}
