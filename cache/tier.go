package cache

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"log/slog"
	"strings"
	"sync"
	"time"
)

// tier is the remote one, behind a breaker.
type tier struct {
	store   Remote
	timeout time.Duration
	version string
	log     *slog.Logger
	now     func() int64

	mu       sync.Mutex
	failures int   // in a row
	shut     int64 // until when nothing is asked of it
	probing  bool
}

// The breaker shuts after so many failures in a row, and then for so long.
const (
	maxFailures  = 3
	firstRest    = time.Second
	longestRest  = 30 * time.Second
	restDoubling = 5
)

// errShut is why a tier was not asked.
var errShut = errors.New("cache: the remote tier is left alone for a while")

// call asks the store for something. An error has been logged where it says
// something new.
func (t *tier) call(ctx context.Context, what func(context.Context) error) error {
	if !t.enter() {
		return errShut
	}
	bounded, cancel := context.WithTimeout(ctx, t.timeout)
	defer cancel()
	err := what(bounded)
	t.leave(err, ctx.Err() != nil)
	return err
}

// enter reports whether the store may be asked now: one call at a time, once
// it has failed.
func (t *tier) enter() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.failures < maxFailures {
		return true
	}
	if t.probing || t.now() < t.shut {
		return false
	}
	t.probing = true
	return true
}

func (t *tier) leave(err error, abandoned bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.probing = false
	switch {
	case err == nil:
		if t.failures >= maxFailures {
			t.log.Info("the remote tier of the cache answers again")
		}
		t.failures = 0
	case abandoned: // by the caller, which says nothing about the store
	default:
		if t.failures++; t.failures == maxFailures {
			t.log.Warn("the remote tier of the cache fails; values are loaded as if there were none", "error", err)
		}
		t.shut = t.now() + int64(min(firstRest<<min(max(t.failures-maxFailures, 0), restDoubling), longestRest))
	}
}

// remoteKey is where a value lies in the remote tier. It tells nobody what the
// key is, which may hold a person's data.
func (k *kind) remoteKey(key string) string {
	sum := sha256.New()
	for _, part := range []string{k.cache.remote.version, k.typeName, key} {
		var size [8]byte
		binary.BigEndian.PutUint64(size[:], uint64(len(part)))
		_, _ = sum.Write(size[:]) // a hash never fails
		_, _ = sum.Write([]byte(part))
	}
	return strings.ReplaceAll(k.name, ".", ":") + "::" + base64.RawURLEncoding.EncodeToString(sum.Sum(nil))
}

// fetch returns what the remote tier has of a key, if that may be used.
func (k *kind) fetch(f *flight, key string) *entry {
	c := k.cache
	if c.remote == nil || k.rules.Local {
		return nil
	}
	// What is compared with the value must have been known before it is read:
	// what happens meanwhile touches the entry in this process.
	asOf := c.tags.asOf.Load()
	var data []byte
	err := c.remote.call(f.run, func(ctx context.Context) (err error) {
		data, err = c.remote.store.Get(ctx, k.remoteKey(key))
		return err
	})
	if err != nil {
		k.counts.remoteFailed(err)
		return nil
	}
	e := k.open(f, key, data, asOf)
	if e == nil {
		k.counts.remoteMisses.Add(1)
		return nil
	}
	k.counts.remoteHits.Add(1)
	return e
}

// deliver gives the remote tier what was loaded.
func (k *kind) deliver(f *flight, e *entry) {
	c := k.cache
	if c.remote == nil || k.rules.Local || len(e.tags) > 0 && e.position == 0 {
		return
	}
	data, err := k.seal(e)
	if err != nil || len(data) > MaxRemoteValue {
		k.counts.unsent.Add(1)
		return
	}
	ttl := time.Duration(e.end() - c.now()).Truncate(time.Millisecond)
	if ttl <= 0 {
		return
	}
	err = c.remote.call(context.WithoutCancel(f.run), func(ctx context.Context) error {
		return c.remote.store.Set(ctx, k.remoteKey(e.key), data, ttl)
	})
	if err != nil {
		k.counts.remoteFailed(err)
	}
}

// A value in the remote tier is a head, its tags and its own bytes:
//
//	4 bytes  CRC-32C of what follows
//	1 byte   form
//	2 bytes  number of tags
//	8 bytes  position, 0 for none
//	8 bytes  until when it is fresh, in Unix milliseconds
//	4 bytes  each tag
const (
	form    = 1
	headLen = 4 + 1 + 2 + 8 + 8
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func (k *kind) seal(e *entry) ([]byte, error) {
	body, err := k.encode(e.value)
	if err != nil {
		return nil, err
	}
	c := k.cache
	fresh := c.time().Add(time.Duration(e.fresh - c.now())).UnixMilli()
	data := make([]byte, 4, headLen+4*len(e.tags)+len(body))
	data = append(data, form)
	data = binary.BigEndian.AppendUint16(data, uint16(len(e.tags)))
	data = binary.BigEndian.AppendUint64(data, uint64(e.position))
	data = binary.BigEndian.AppendUint64(data, uint64(fresh))
	for _, tag := range e.tags {
		data = binary.BigEndian.AppendUint32(data, tag)
	}
	data = append(data, body...)
	binary.BigEndian.PutUint32(data, crc32.Checksum(data[4:], castagnoli))
	return data, nil
}

// open reads a value of the remote tier, or nil if there is none that may be
// used.
func (k *kind) open(f *flight, key string, data []byte, asOf int64) *entry {
	if len(data) < headLen || data[4] != form || crc32.Checksum(data[4:], castagnoli) != binary.BigEndian.Uint32(data) {
		return nil
	}
	tags := make([]uint32, binary.BigEndian.Uint16(data[5:]))
	position := int64(binary.BigEndian.Uint64(data[7:]))
	fresh := int64(binary.BigEndian.Uint64(data[15:]))
	data = data[headLen:]
	if len(tags) > MaxTags || len(data) < 4*len(tags) {
		return nil
	}
	for i := range tags {
		tags[i] = binary.BigEndian.Uint32(data[4*i:])
	}
	c := k.cache
	e := &entry{of: k, key: key, tags: tags, born: f.born, asOf: f.began, position: position}
	if len(tags) > 0 {
		e.asOf = asOf
		if !c.tags.current(tags, position, asOf) || c.now()-asOf > int64(c.bound) {
			return nil
		}
	}
	// Clocks differ: no value is fresh for longer than one that was loaded now.
	left := time.UnixMilli(fresh).Sub(c.time())
	e.lasts(k, c.now()+int64(min(left, k.rules.TTL)))
	if c.now() >= e.end() {
		return nil
	}
	value, err := k.decode(data[4*len(tags):])
	if err != nil {
		return nil
	}
	e.value = value
	e.weigh()
	return e
}
