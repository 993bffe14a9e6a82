package serve

import "bytes"

// framing follows the messages of one connection as their bytes arrive: where
// each head ends, how long its body is, where the next one begins. It keeps
// nothing but the start of a line that a read has split. It does not judge
// what cannot change where a message ends, such as a NUL in a field: net/http
// refuses that.
type framing struct {
	phase   phase
	http10  bool
	length  bool   // the head has a Content-Length
	chunked bool   // the head has Transfer-Encoding: chunked
	left    uint64 // bytes to come of the body or chunk
	digits  int    // of the chunk size; then bytes of its extension
	trailer int    // bytes of the trailer section
	begun   int    // where the message began, in the bytes that it began in
	carry   []byte
}

type phase uint8

const (
	between    phase = iota // the next byte begins a message
	targetLine              // within the request line
	fieldLine               // within the fields of a head
	sizedBody
	chunkSize
	chunkExtension
	chunkSizeLF
	chunkData
	chunkDataCR
	chunkDataLF
	trailerLine
)

// Limits that no honest client meets.
const (
	maxLengthDigits   = 18 // below 2^63 whatever the digits
	maxChunkDigits    = 15
	maxChunkExtension = 256
	maxTrailer        = 4 << 10
	keptCarry         = 1 << 10 // a longer split line gives its memory back
)

// refusal is a sentence for the caller that says what is wrong with the
// framing; empty if nothing is.
type refusal string

const (
	refusedEmptyLine   refusal = "A request begins with an empty line."
	refusedLineEnd     refusal = "A line of the request does not end in exactly CRLF."
	refusedFold        refusal = "A header field is folded over several lines."
	refusedVersion     refusal = "The protocol version is neither HTTP/1.1 nor HTTP/1.0."
	refusedLength      refusal = "The Content-Length is not a number."
	refusedLengths     refusal = "There is more than one Content-Length."
	refusedCoding      refusal = "The Transfer-Encoding is not exactly chunked."
	refusedCodings     refusal = "There is more than one Transfer-Encoding."
	refusedBoth        refusal = "There are both a Content-Length and a Transfer-Encoding."
	refusedOldChunked  refusal = "HTTP/1.0 knows no Transfer-Encoding."
	refusedChunkSize   refusal = "A chunk size is not a hexadecimal number."
	refusedExtension   refusal = "A chunk extension is malformed or too long."
	refusedChunkEnd    refusal = "A chunk does not end in CRLF."
	refusedTrailer     refusal = "The trailer is too long."
	refusedTrailerName refusal = "The trailer names a framing field."
)

// feed reads the next bytes of the connection. On a refusal it also returns
// how many of them may still be handed on: everything before the message at
// fault if that began in b, else what net/http is in the middle of anyway.
func (f *framing) feed(b []byte) (deliver int, why refusal) {
	begun := 0 // where the current message began, if in b
	fresh := false
	for i := 0; i < len(b); {
		element := i
		switch f.phase {
		case between:
			*f = framing{phase: targetLine, begun: i, carry: f.carry}
			begun, fresh = i, true
			continue
		case targetLine, fieldLine, trailerLine:
			end := bytes.IndexByte(b[i:], '\n')
			if end < 0 {
				f.carry = append(f.carry, b[i:]...)
				return len(b), ""
			}
			line := b[i : i+end+1]
			if len(f.carry) > 0 {
				element = 0
				f.carry = append(f.carry, line...)
				line = f.carry
			}
			i += end + 1
			why = f.line(line)
			if cap(f.carry) > keptCarry {
				f.carry = nil
			}
			f.carry = f.carry[:0]
		case sizedBody, chunkData:
			n := min(uint64(len(b)-i), f.left)
			i += int(n)
			if f.left -= n; f.left > 0 {
				break
			}
			if f.phase = between; f.chunked {
				f.phase = chunkDataCR
			}
		default:
			why = f.chunkByte(b[i])
			i++
		}
		if why != "" {
			if fresh {
				return begun, why
			}
			return element, why
		}
	}
	return len(b), ""
}

// line reads one whole line of a head or trailer, its LF included.
func (f *framing) line(line []byte) refusal {
	text := len(line) - 2
	if text < 0 || bytes.IndexByte(line, '\r') != text {
		return refusedLineEnd
	}
	line = line[:text]
	switch {
	case f.phase == targetLine:
		return f.target(line)
	case len(line) == 0:
		return f.headEnd()
	case line[0] == ' ' || line[0] == '\t':
		return refusedFold
	case f.phase == trailerLine:
		if f.trailer += len(line) + 2; f.trailer > maxTrailer {
			return refusedTrailer
		}
		if isField(line, "content-length") || isField(line, "transfer-encoding") {
			return refusedTrailerName
		}
		return ""
	}
	return f.field(line)
}

// target reads a request line. Of it only the version bears on framing.
func (f *framing) target(line []byte) refusal {
	f.phase = fieldLine
	switch {
	case len(line) == 0:
		return refusedEmptyLine
	case bytes.HasSuffix(line, []byte(" HTTP/1.1")):
	case bytes.HasSuffix(line, []byte(" HTTP/1.0")):
		f.http10 = true
	default:
		return refusedVersion
	}
	return ""
}

// field reads a header field and notes the two that say how long the body is.
// Any other spelling of their names, as with a space before the colon, is one
// that net/http refuses.
func (f *framing) field(line []byte) refusal {
	switch {
	case isField(line, "content-length"):
		if f.length {
			return refusedLengths
		}
		f.length = true
		return f.bodyLength(line[len("content-length:"):])
	case isField(line, "transfer-encoding"):
		if f.chunked {
			return refusedCodings
		}
		f.chunked = true
		if !equalFold(bytes.Trim(line[len("transfer-encoding:"):], " \t"), "chunked") {
			return refusedCoding
		}
	}
	return ""
}

func (f *framing) bodyLength(value []byte) refusal {
	value = bytes.Trim(value, " \t")
	if len(value) == 0 || len(value) > maxLengthDigits {
		return refusedLength
	}
	for _, c := range value {
		if c < '0' || c > '9' {
			return refusedLength
		}
		f.left = f.left*10 + uint64(c-'0')
	}
	return ""
}

// headEnd reads the empty line that ends a head or a trailer.
func (f *framing) headEnd() refusal {
	switch {
	case f.phase == trailerLine:
		f.phase = between
	case f.chunked && f.length:
		return refusedBoth
	case f.chunked && f.http10:
		return refusedOldChunked
	case f.chunked:
		f.phase = chunkSize
	case f.left > 0:
		f.phase = sizedBody
	default:
		f.phase = between
	}
	return ""
}

// chunkByte reads one byte of what stands between the data of two chunks.
func (f *framing) chunkByte(c byte) refusal {
	switch f.phase {
	case chunkSize:
		digit, ok := hexDigit(c)
		switch {
		case ok && f.digits < maxChunkDigits:
			f.digits++
			f.left = f.left<<4 | digit
		case ok || f.digits == 0:
			return refusedChunkSize
		case c == '\r':
			f.phase = chunkSizeLF
		case c == ';':
			f.phase, f.digits = chunkExtension, 0
		default:
			return refusedChunkSize
		}
	case chunkExtension:
		f.digits++
		switch {
		case c == '\r':
			f.phase = chunkSizeLF
		case c < ' ' && c != '\t', c == 0x7f, f.digits > maxChunkExtension:
			return refusedExtension
		}
	case chunkSizeLF:
		if c != '\n' {
			return refusedLineEnd
		}
		if f.phase = chunkData; f.left == 0 {
			f.phase = trailerLine
		}
	case chunkDataCR:
		if c != '\r' {
			return refusedChunkEnd
		}
		f.phase = chunkDataLF
	case chunkDataLF:
		if c != '\n' {
			return refusedChunkEnd
		}
		f.phase, f.digits = chunkSize, 0
	default: // the caller reads the other phases
	}
	return ""
}

func hexDigit(c byte) (uint64, bool) {
	switch {
	case '0' <= c && c <= '9':
		return uint64(c - '0'), true
	case 'a' <= c && c <= 'f':
		return uint64(c-'a') + 10, true
	case 'A' <= c && c <= 'F':
		return uint64(c-'A') + 10, true
	}
	return 0, false
}

// isField reports whether the line is a field of that name, given in lower case.
func isField(line []byte, name string) bool {
	return len(line) > len(name) && line[len(name)] == ':' && equalFold(line[:len(name)], name)
}

// equalFold compares in ASCII only: field names know no other letters.
func equalFold(b []byte, lower string) bool {
	if len(b) != len(lower) {
		return false
	}
	for i := range b {
		c := b[i]
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}
