package auth

import "testing"

// Occupied returns a Passwords whose only slot is taken until release.
func Occupied(t *testing.T, queue int) (p *Passwords, release func()) {
	t.Helper()
	p, err := NewPasswords(PasswordConfig{Memory: 8 << 10, Passes: 1, Concurrent: 1, Queue: queue})
	if err != nil {
		t.Fatal(err)
	}
	p.present.Add(1)
	p.slots <- struct{}{}
	return p, func() { p.present.Add(-1); <-p.slots }
}

// Private gives a test the private half, to sign what Issue never would.
func (k Key) Private() any { return k.private }

// Rekey gives t other keys, and leaves what it remembers.
func Rekey(t *testing.T, tokens *Tokens, key Key) {
	t.Helper()
	keys, err := NewKeys(key)
	if err != nil {
		t.Fatal(err)
	}
	tokens.keys = keys
}

// Remembered counts the tokens in memory.
func Remembered(t *Tokens) (n int) {
	if t.cache == nil {
		return 0
	}
	for i := range t.cache.shards {
		n += len(t.cache.shards[i].young) + len(t.cache.shards[i].old)
	}
	return n
}
