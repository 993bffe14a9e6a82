package live

import (
	"bytes"
	"net"
	"net/http"
	"time"
)

// appendResponse writes the head of an answer that ends with its connection,
// and the first of what follows. There is no length and no chunk: an event says
// itself where it ends.
func appendResponse(header http.Header, first []byte) []byte {
	header["Connection"] = closing
	header["Date"] = []string{time.Now().UTC().Format(http.TimeFormat)}
	var b bytes.Buffer
	b.Grow(1 << 10)
	b.WriteString("HTTP/1.1 200 OK\r\n")
	_ = header.Write(&b) // a buffer takes all
	b.WriteString("\r\n")
	b.Write(first)
	return b.Bytes()
}

var closing = []string{"close"}[:1:1]

// bound has the kernel keep little of what a caller does not read, so that a
// slow one is noticed by us and not by the machine's memory.
func bound(conn net.Conn) {
	if c, ok := conn.(interface{ SetWriteBuffer(bytes int) error }); ok {
		_ = c.SetWriteBuffer(sendBuffer) // it is the kernel's own bound otherwise
	}
}

// sendBuffer is what the kernel may hold for one caller, which Linux doubles.
const sendBuffer = 64 << 10
