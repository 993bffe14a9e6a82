package redis

import (
	"context"
	"time"

	"github.com/redis/rueidis"
)

// Cache keeps values for all instances. It is a cache.Remote: the tier behind
// the memory of each process, which is asked when that has nothing. Which
// values are outdated is the cache's affair, so the server need not tell.
type Cache struct {
	client *Client
	prefix string
}

// Cache returns the shared tier of the server.
func (c *Client) Cache() *Cache { return &Cache{c, c.settings.prefix + "cache:"} }

// Get returns the value of a key, or nothing where there is none.
func (c *Cache) Get(ctx context.Context, key string) ([]byte, error) {
	s, err := c.client.live()
	if err != nil {
		return nil, err
	}
	value, err := c.client.do(ctx, s, s.client.B().Get().Key(c.prefix+key).Build()).AsBytes()
	if rueidis.IsRedisNil(err) {
		return nil, nil
	}
	return value, err
}

// Set keeps value under key for ttl, in whole milliseconds.
func (c *Cache) Set(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	s, err := c.client.live()
	if err != nil {
		return err
	}
	// A command that its caller gave up may be written later, so the value is
	// copied: the bytes may be others by then.
	set := s.client.B().Set().Key(c.prefix + key).Value(string(value)).PxMilliseconds(max(ttl.Milliseconds(), 1)).Build()
	return c.client.do(ctx, s, set).Error()
}
