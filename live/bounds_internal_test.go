package live

import (
	"encoding/binary"
	"math/rand/v2"
	"testing"
)

// masked is a frame of a caller.
func masked(first byte, n int) []byte {
	b := []byte{first}
	switch {
	case n < 126:
		b = append(b, 0x80|byte(n))
	case n < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, 0x80|126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, 0x80|127), uint64(n))
	}
	return append(b, make([]byte, 4+n)...)
}

// However what is sent comes in pieces, no piece that is handed on goes beyond
// the end of a frame, and it is known where a message ends.
func TestBounds(t *testing.T) {
	t.Parallel()
	const text, more, last, ping = 0x01, 0x00, 0x80, 0x89
	frames := []struct {
		bytes   []byte
		between bool // after it
	}{
		{masked(last|text, 0), true},
		{masked(last|text, 5), true},
		{masked(ping, 0), true},
		{masked(text, 125), false},
		{masked(ping, 3), false},
		{masked(more, 126), false},
		{masked(more, 0), false},
		{masked(last|more, 200), true},
		{masked(last|text, 1<<16-1), true},
		{masked(last|text, 1<<16), true},
		{[]byte{last | text, 3, 'a', 'b', 'c'}, true}, // not masked, which is for others to refuse
		{masked(last|text, 1), true},
	}
	var all []byte
	for _, f := range frames {
		all = append(all, f.bytes...)
	}
	for seed := range uint64(200) {
		random := rand.New(rand.NewPCG(seed, 0))
		var f bounds
		rest, n, in := all, 0, 0 // the frame, and how much of it was taken
		for len(rest) > 0 {
			if in == 0 && f.between() != (n == 0 || frames[n-1].between) {
				t.Fatalf("seed %d: before frame %d it is between messages: %t", seed, n, f.between())
			}
			piece := rest[:min(len(rest), 1+random.IntN(1+1<<random.IntN(17)))]
			var taken int
			if f.headed() && random.IntN(2) == 0 {
				taken = f.pass(len(piece))
			} else {
				taken = f.take(piece)
			}
			if in += taken; taken == 0 || in > len(frames[n].bytes) {
				t.Fatalf("seed %d: of frame %d with %d bytes %d were taken", seed, n, len(frames[n].bytes), in)
			}
			if rest = rest[taken:]; in == len(frames[n].bytes) {
				n, in = n+1, 0
			} else if f.between() {
				t.Fatalf("seed %d: it is between messages within frame %d", seed, n)
			}
		}
		if n != len(frames) || !f.between() {
			t.Fatalf("seed %d: %d frames", seed, n)
		}
	}
}

// A length that no frame can have does no harm before it is refused.
func FuzzBounds(f *testing.F) {
	f.Add([]byte{0x81, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 1, 2, 3})
	f.Add(append(masked(0x01, 2), masked(0x80, 3)...))
	f.Fuzz(func(t *testing.T, b []byte) {
		var f bounds
		for len(b) > 0 {
			n := f.take(b)
			if n <= 0 || n > len(b) {
				t.Fatalf("%d of %d bytes were taken", n, len(b))
			}
			b = b[n:]
		}
	})
}

func TestTextHead(t *testing.T) {
	t.Parallel()
	for n, want := range map[int]string{
		0: "\x81\x00", 125: "\x81\x7d", 126: "\x81\x7e\x00\x7e", 1<<16 - 1: "\x81\x7e\xff\xff", 1 << 16: "\x81\x7f\x00\x00\x00\x00\x00\x01\x00\x00",
	} {
		if got := string(appendTextHead(nil, n)); got != want {
			t.Errorf("%d: %q, want %q", n, got, want)
		}
	}
}
