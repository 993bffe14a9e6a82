package auth

import "testing"

// CheapPasswords are too weak for NewPasswords: a test that does not measure
// need not wait for them.
func CheapPasswords(c PasswordConfig) *Passwords {
	return newPasswords(params{memory: 64, passes: max(1, c.Passes), lanes: 1}, c)
}

// Occupied returns a Passwords whose only slot is taken until release.
func Occupied(t *testing.T, queue int) (p *Passwords, release func()) {
	t.Helper()
	p = CheapPasswords(PasswordConfig{Concurrent: 1, Queue: queue})
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

// Resigned gives a key the checksum of what it says.
func Resigned(signed string) string {
	sum := checksum(signed)
	return signed + string(sum[:])
}

// RememberedKeys counts the API keys in memory.
func RememberedKeys(k *APIKeys) (n int) {
	for i := range k.held.shards {
		n += len(k.held.shards[i].young) + len(k.held.shards[i].old)
	}
	return n
}
