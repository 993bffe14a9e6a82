package auth

import "testing"

// Occupied returns a Passwords whose only slot is taken until release.
func Occupied(t *testing.T) (p *Passwords, release func()) {
	t.Helper()
	p, err := NewPasswords(PasswordConfig{Concurrent: 1})
	if err != nil {
		t.Fatal(err)
	}
	p.slots <- struct{}{}
	return p, func() { <-p.slots }
}

// Private gives a test the private half, to sign what Issue never would.
func (k Key) Private() any { return k.private }
