package serve

import (
	"bytes"
	"hash/maphash"
	"net/http"
)

// recalled are the long fields that the requests of one connection have in
// common: a token, a cookie, the name of a browser. net/http looks at every
// letter of a field three times and copies it, some thirty instructions a
// letter, and a client that keeps its connection sends the same ones with each
// request. So the connection leaves out of a head what net/http has read and
// approved on it before, and the handler gets it from there.
//
// A field is left out only of a head that begins a read, is whole within it and
// has no other message behind it; if it is the only one of its name; and if its
// name, in any case, and its value are those that net/http has made of the
// field before. A head that is split, pipelined or otherwise uncommon is
// net/http's alone. Nobody but the handler of that head gets the field: what
// was given back is forgotten, and where net/http calls no handler it reads no
// other head. Should it ever do so, the next head has nothing of the one before
// either: it comes with another read.
//
// Connections of which nobody puts back what is left out have none.
//
// Only the goroutine that serves the connection comes here: it reads a head, and
// calls the handler. The one that waits for the client to leave meanwhile asks
// for a single byte, and is sent away before it touches anything. So is a
// handler's own that reads a body: what it reads begins no message.
type recalled struct {
	known [len(recallable)]knownField
	out   fieldSet // left out of the head that was read last
	fresh fieldSet // of that head, and worth to be remembered
}

type knownField struct {
	value string // empty if there is none yet
	hash  uint64
	vain  uint8 // times that it was remembered since it came again
}

// fieldSet has a bit for each of the recallable fields.
type fieldSet uint8

// recallable are the fields that are long and stay the same.
var recallable = [...]struct{ name, lower string }{
	{"Authorization", "authorization"},
	{"Cookie", "cookie"},
	{"User-Agent", "user-agent"},
	{"Accept", "accept"},
}

const (
	leastHead   = 64      // no read for a head offers less
	leastRecall = 32      // bytes of a value for which it pays
	mostRecall  = 2 << 10 // what an idle connection may keep of each
	mostVain    = 8       // a connection that is many users' learns no more
)

// seed makes the comparison of two values take no longer the more of them is
// alike: who shares a connection through a proxy cannot feel another's token.
var seed = maphash.MakeSeed()

// leaveOut takes out of a head what net/http has read before, and returns how
// many bytes remain. The head is at the start of b; alone says that no other
// message begins in it.
func (f *recalled) leaveOut(b []byte, alone bool) (n int) {
	f.out, f.fresh = 0, 0
	if !alone {
		return len(b)
	}
	var (
		cuts       [len(recallable)][2]int
		cut        int
		seen       fieldSet
		out, fresh fieldSet
	)
	for at := bytes.IndexByte(b, '\n') + 1; ; {
		end := bytes.IndexByte(b[at:], '\n') + 1
		if end == 0 {
			return len(b) // it is not whole
		}
		line := b[at : at+end]
		if len(line) == len("\r\n") {
			break
		}
		if i, bit := recallableOf(line); bit != 0 {
			if seen&bit != 0 {
				return len(b) // two of a name: their order matters
			}
			seen |= bit
			switch value := valueOf(line[len(recallable[i].name)+1 : len(line)-2]); {
			case f.known[i].is(value):
				out |= bit
				cuts[cut] = [2]int{at, at + end}
				cut++
			case len(value) >= leastRecall && len(value) <= mostRecall && f.known[i].vain < mostVain:
				fresh |= bit
			}
		}
		at += end
	}
	f.out, f.fresh = out, fresh
	if cut == 0 {
		return len(b)
	}
	n = cuts[0][0]
	for i, c := range cuts[:cut] {
		next := len(b)
		if i+1 < cut {
			next = cuts[i+1][0]
		}
		n += copy(b[n:], b[c[1]:next])
	}
	return n
}

// recallableOf returns which of the recallable fields a line is, if any.
func recallableOf(line []byte) (int, fieldSet) {
	for i := range recallable {
		if isField(line, recallable[i].lower) {
			return i, 1 << i
		}
	}
	return 0, 0
}

// valueOf is a value as net/http makes it of the same bytes.
func valueOf(b []byte) []byte {
	for len(b) > 0 && (b[0] == ' ' || b[0] == '\t') {
		b = b[1:]
	}
	for len(b) > 0 && (b[len(b)-1] == ' ' || b[len(b)-1] == '\t') {
		b = b[:len(b)-1]
	}
	return b
}

func (k *knownField) is(value []byte) bool {
	return k.value != "" && len(value) == len(k.value) && maphash.Bytes(seed, value) == k.hash && string(value) == k.value
}

// putBack gives a request the fields that its head was left without, and
// remembers those that it has.
func (f *recalled) putBack(h http.Header) {
	if f.out|f.fresh == 0 {
		return
	}
	for i := range recallable {
		name, k := recallable[i].name, &f.known[i]
		switch bit := fieldSet(1) << i; {
		case f.out&bit != 0:
			h[name] = []string{k.value}
			k.vain = 0
		case f.fresh&bit != 0 && len(h[name]) == 1:
			k.value = h[name][0]
			k.hash = maphash.String(seed, k.value)
			k.vain++
		}
	}
	f.out, f.fresh = 0, 0
}
