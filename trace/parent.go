package trace

import "encoding/hex"

// A traceparent of version 00 is exactly
//
//	00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01
//	0  3                                36               53
//
// so every field is found at a fixed offset.
const (
	traceAt   = 3
	spanAt    = 36
	flagsAt   = 53
	parentLen = 55
)

// Parse reads a traceparent header. It reports false, and a zero Context, for
// anything that W3C Trace Context calls invalid: a wrong length, an uppercase
// or other non-hex digit, an all-zero id, version ff; the caller then starts a
// new trace. A version above 00 is read as far as 00 reaches, as the standard
// asks, and may continue after a dash. Parse does not allocate.
func Parse(traceparent string) (Context, bool) {
	s := traceparent
	if len(s) < parentLen || s[2] != '-' || s[spanAt-1] != '-' || s[flagsAt-1] != '-' {
		return Context{}, false
	}
	version, ok := hexByte(s[0], s[1])
	switch {
	case !ok || version == 0xff:
		return Context{}, false
	case len(s) == parentLen:
	case version == 0 || s[parentLen] != '-':
		return Context{}, false
	}

	var c Context
	for i := range c.TraceID {
		b, ok := hexByte(s[traceAt+2*i], s[traceAt+2*i+1])
		if !ok {
			return Context{}, false
		}
		c.TraceID[i] = b
	}
	for i := range c.SpanID {
		b, ok := hexByte(s[spanAt+2*i], s[spanAt+2*i+1])
		if !ok {
			return Context{}, false
		}
		c.SpanID[i] = b
	}
	flags, ok := hexByte(s[flagsAt], s[flagsAt+1])
	if !ok || !c.Valid() {
		return Context{}, false
	}
	// Bits that level 1 does not define must not travel on as if we had
	// understood them.
	c.Flags = flags & FlagSampled
	return c, true
}

// Traceparent returns the header for the next hop, always in version 00. It is
// empty when c is not valid, so that nothing false is sent.
func (c Context) Traceparent() string {
	if !c.Valid() {
		return ""
	}
	var b [parentLen]byte
	copy(b[:], "00-")
	hex.Encode(b[traceAt:], c.TraceID[:])
	b[spanAt-1] = '-'
	hex.Encode(b[spanAt:], c.SpanID[:])
	b[flagsAt-1] = '-'
	hex.Encode(b[flagsAt:], []byte{c.Flags})
	return string(b[:])
}

func hexByte(high, low byte) (byte, bool) {
	h, l := hexDigit(high), hexDigit(low)
	return h<<4 | l, h|l < 16
}

// hexDigit is the value of a lowercase hex digit, or 255: W3C forbids capitals.
func hexDigit(c byte) byte {
	switch {
	case '0' <= c && c <= '9':
		return c - '0'
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10
	}
	return 255
}
