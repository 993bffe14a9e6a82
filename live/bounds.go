package live

import "encoding/binary"

// bounds follows the frames of RFC 6455, section 5.2, that a caller sends, and
// knows where each ends. Whether they are as they must be is for others to say.
type bounds struct {
	head [14]byte // of the frame, as far as it has come
	have uint8
	rest uint64 // of its payload
	open bool   // a message has begun, and further frames of it follow
}

// between reports whether no message is under way, and nothing else.
func (f *bounds) between() bool { return f.have == 0 && !f.open }

// take returns how many of b belong to the frame that is under way, or that
// begins.
func (f *bounds) take(b []byte) (n int) {
	for n < len(b) && !f.headed() {
		f.head[f.have] = b[n]
		f.have++
		n++
		if f.headed() {
			f.rest = f.payload()
		}
	}
	if !f.headed() {
		return n
	}
	n += f.pass(len(b) - n)
	return n
}

// pass says that up to n bytes of the payload have come, and returns how many it
// takes.
func (f *bounds) pass(n int) int {
	n = int(min(uint64(max(n, 0)), f.rest))
	if f.rest -= uint64(n); f.rest == 0 {
		if opcode := f.head[0] & 0x0f; opcode < 8 { // the others come between the frames of a message
			f.open = f.head[0]&0x80 == 0
		}
		f.have = 0
	}
	return n
}

// headed reports whether the head is complete.
func (f *bounds) headed() bool { return f.have >= 2 && int(f.have) == f.size() }

func (f *bounds) size() int {
	size := 2
	switch f.head[1] & 0x7f {
	case 126:
		size += 2
	case 127:
		size += 8
	}
	if f.head[1]&0x80 != 0 {
		size += 4 // the mask
	}
	return size
}

func (f *bounds) payload() uint64 {
	switch n := f.head[1] & 0x7f; n {
	case 126:
		return uint64(binary.BigEndian.Uint16(f.head[2:]))
	case 127:
		return binary.BigEndian.Uint64(f.head[2:])
	default:
		return uint64(n)
	}
}

// appendTextHead begins a frame that is a whole text of n bytes.
func appendTextHead(b []byte, n int) []byte {
	const whole, text = 0x80, 0x1
	b = append(b, whole|text)
	switch {
	case n < 126:
		return append(b, byte(n))
	case n < 1<<16:
		return binary.BigEndian.AppendUint16(append(b, 126), uint16(n))
	}
	return binary.BigEndian.AppendUint64(append(b, 127), uint64(n))
}
