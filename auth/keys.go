package auth

import (
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/ashlar-go/ashlar/config"
)

// Keys are the signing keys of an application: the first signs, all verify.
// [Keys.Rotated] puts a new key first and lets the others run out;
// [Keys.Replace] has a running program take that up. Make it with [NewKeys],
// [ParseKeys] or [LoadOrCreateKeys].
type Keys struct {
	set  atomic.Pointer[keySet]
	root []byte // what Derive extends
}

// keySet is a list of keys as it was at one time. It does not change.
type keySet struct{ all []Key }

// NewKeys returns keys in the order of their use. The first must be able to
// sign, and no two may be the same.
func NewKeys(all ...Key) (*Keys, error) { return newKeys(nil, all) }

// newKeys returns keys that derive from root, or from the oldest key if that
// is nil.
func newKeys(root []byte, all []Key) (*Keys, error) {
	if len(all) == 0 {
		return nil, failure("auth: no signing key")
	}
	for i, k := range all {
		switch {
		case k.material == nil:
			return nil, fmt.Errorf("auth: signing key %d is empty", i+1)
		case i == 0 && !k.signs():
			return nil, failure("auth: signing key 1 is a public key; the first one signs and must be private")
		case i == 0 && !k.retired.IsZero():
			return nil, failure("auth: signing key 1 retires; the first one takes over from the others and must not")
		case slices.ContainsFunc(all[:i], func(o Key) bool { return o.id == k.id }):
			return nil, fmt.Errorf("auth: signing key %d is there twice", i+1)
		case slices.ContainsFunc(all, k.usesPublic):
			return nil, fmt.Errorf("auth: signing key %d is a secret that is the public half of another", i+1)
		}
	}
	for i := len(all) - 1; root == nil; i-- { // the first signs
		if all[i].signs() {
			root = extend(all[i].material.secret(), "root")
		}
	}
	k := &Keys{root: root}
	k.set.Store(&keySet{slices.Clone(all)})
	return k, nil
}

// Replace has k sign and verify with the keys of by from now on; tokens that
// were verified with others are judged again. What k derives stays as it was.
func (k *Keys) Replace(by *Keys) { k.set.Store(by.set.Load()) }

// Rotated returns k with next in front: the key that signs now retires at the
// given time, and next takes over. Keys whose tokens have all expired are left
// out. Have every process know the new list before that time, or one would
// refuse what another signs.
//
// What the result derives is what k does, and stays so in whatever reads
// [Keys.Secret].
func (k *Keys) Rotated(next Key, at time.Time) (*Keys, error) {
	at = at.UTC().Truncate(time.Second)
	all := []Key{next}
	for _, old := range k.set.Load().all {
		if old.retired.IsZero() || old.retired.After(at) {
			old.retired = at
		}
		if !old.over(time.Now()) {
			all = append(all, old)
		}
	}
	return newKeys(k.root, all)
}

// Secret returns the list on one line, as [ParseKeys] reads it: the keys, and
// what Derive extends.
func (k *Keys) Secret() config.Secret {
	return config.NewSecret(strings.Join(k.entries(), ","))
}

func (k *Keys) entries() []string {
	all := k.set.Load().all
	list := make([]string, 0, len(all)+1)
	for _, key := range all {
		list = append(list, key.entry())
	}
	return append(list, rootEntry(k.root))
}

// List returns the keys in their order.
func (k *Keys) List() []Key { return slices.Clone(k.set.Load().all) }

// Signer is the key that signs now.
func (k *Keys) Signer(now time.Time) Key { return k.set.Load().signer(now) }

// signer is the first key, unless one behind it has a time of retirement that
// is still to come: then everybody may not know the first one yet.
func (s *keySet) signer(now time.Time) Key {
	for _, key := range slices.Backward(s.all) {
		if now.Before(key.retired) && key.signs() {
			return key
		}
	}
	return s.all[0]
}

// find returns the key whose id is exactly kid, if its tokens can be good.
func (s *keySet) find(kid string, now time.Time) (Key, bool) {
	for _, key := range s.all {
		if key.id == kid {
			return key, !key.over(now)
		}
	}
	return Key{}, false
}
