package auth

import (
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/bcrypt"
)

const (
	saltLen   = 16
	digestLen = 32
)

// params are the costs of argon2id.
type params struct {
	memory uint32 // KiB
	passes uint32
	lanes  uint8
}

// check refuses costs that would let one stored string stop the server.
func (p params) check() error {
	switch {
	case p.memory < 8 || p.memory < 8*uint32(p.lanes) || p.memory > 256<<10:
		return fmt.Errorf("a password hash with %d KiB of memory is out of range", p.memory)
	case p.passes < 1 || p.passes > 16:
		return fmt.Errorf("a password hash with %d passes is out of range", p.passes)
	case p.lanes < 1 || p.lanes > 8:
		return fmt.Errorf("a password hash with %d lanes is out of range", p.lanes)
	}
	return nil
}

// phc is a hash in the string format of the password hashing competition,
// $argon2id$v=19$m=19456,t=2,p=1$salt$digest.
type phc struct {
	params
	salt, digest []byte
}

func (h phc) derive(password string, length int) []byte {
	return argon2.IDKey([]byte(password), h.salt, h.passes, h.memory, h.lanes, uint32(length))
}

func (h phc) same(password string) bool {
	return subtle.ConstantTimeCompare(h.derive(password, len(h.digest)), h.digest) == 1
}

func (h phc) String() string {
	b64 := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version,
		h.memory, h.passes, h.lanes, b64.EncodeToString(h.salt), b64.EncodeToString(h.digest))
}

// errHash says nothing of the hash: it would end up in a log.
const errHash failure = "auth: a stored password hash cannot be read"

// failure is an error for the log.
type failure string

func (f failure) Error() string { return string(f) }

func parsePHC(s string) (phc, error) {
	part := strings.Split(s, "$")
	if len(part) != 6 || part[0] != "" || part[1] != "argon2id" || part[2] != "v="+strconv.Itoa(argon2.Version) {
		return phc{}, errHash
	}
	var cost [3]uint64
	fields := strings.Split(part[3], ",")
	if len(fields) != len(cost) {
		return phc{}, errHash
	}
	for i, name := range []string{"m=", "t=", "p="} {
		digits, ok := strings.CutPrefix(fields[i], name)
		n, err := strconv.ParseUint(digits, 10, []int{32, 32, 8}[i])
		if !ok || err != nil {
			return phc{}, errHash
		}
		cost[i] = n
	}
	h := phc{params: params{uint32(cost[0]), uint32(cost[1]), uint8(cost[2])}}
	if err := h.check(); err != nil {
		return phc{}, fmt.Errorf("auth: %w", err)
	}
	var saltErr, digestErr error
	h.salt, saltErr = base64.RawStdEncoding.Strict().DecodeString(part[4])
	h.digest, digestErr = base64.RawStdEncoding.Strict().DecodeString(part[5])
	if saltErr != nil || digestErr != nil || len(h.salt) < 8 || len(h.salt) > 64 || len(h.digest) < 16 || len(h.digest) > 64 {
		return phc{}, errHash
	}
	return h, nil
}

func isBcrypt(hash string) bool { return strings.HasPrefix(hash, "$2") }

func checkBcrypt(hash string) error {
	cost, err := bcrypt.Cost([]byte(hash))
	if err != nil {
		return errHash
	}
	if cost < 12 || cost > 15 {
		return fmt.Errorf("auth: a bcrypt hash of cost %d is out of range", cost)
	}
	return nil
}

func sameBcrypt(hash, password string) bool {
	return bcrypt.CompareHashAndPassword([]byte(hash), []byte(password)) == nil
}
