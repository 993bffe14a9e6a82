package serve

import (
	"bytes"
	"errors"
	"net/http"
	"sync"

	"github.com/ashlar-go/ashlar/internal/scope"
)

// Most operations know their whole answer before any of it is sent. Such an
// answer is put together at once, behind the letterhead, and net/http is told
// of the status alone. What it then has to say is a head without a body. The
// connection writes the letter in its place, with the status line, the date and
// the word about the connection's end that net/http has chosen.
//
// As with the letterhead, that needs a connection of our own with HTTP/1 on it
// and nobody in between. And nobody may have asked for the header: what is in
// the map belongs to net/http.

// letter is a whole answer, with room in front for what net/http says.
type letter []byte

const (
	// letterRoom holds the longest status line, a date and a Connection field.
	letterRoom = 160
	// maxLetter is the size above which a body goes through net/http, which
	// sends a long one without another copy.
	maxLetter = 64 << 10
)

var letters = sync.Pool{New: func() any { b := make(letter, 0, 2<<10); return &b }}

// Send takes an answer that is known as a whole; see [scope.Send].
func (x *response) Send(r *http.Request, a scope.Answer) bool {
	if x.wire == nil || x.touched || x.scope.Status != 0 || !fitsLetter(r, &a) {
		return false
	}
	select {
	case <-x.wire.drain:
		return false // net/http is to say that the connection ends
	default:
	}
	x.letter = letters.Get().(*letter)
	*x.letter = x.appendLetter((*x.letter)[:letterRoom], &a)
	x.scope.Status, x.scope.Bytes = a.Status, int64(len(a.Body))
	x.ResponseWriter.WriteHeader(a.Status)
	x.wire.conn.answer.Store(x) // after it, for until then net/http may write 100 Continue
	return true
}

// fitsLetter reports whether an answer has a body that can be sent this way,
// and no field that could be read as two.
func fitsLetter(r *http.Request, a *scope.Answer) bool {
	return r.Method != http.MethodHead && a.Status >= 200 && a.Status < 1000 &&
		a.Status != http.StatusNoContent && a.Status != http.StatusNotModified &&
		len(a.Body) > 0 && len(a.Body) <= maxLetter && a.InOrder()
}

func (x *response) appendLetter(b []byte, a *scope.Answer) []byte {
	o := x.obs
	x.ours = byte(1)<<len(o.headers) - 1 | ourID
	if a.CacheControl == "" {
		b = x.appendLetterhead(b)
	} else {
		x.ours &^= o.cacheControl
		b = x.appendLetterhead(b)
		b = append(append(append(b, "Cache-Control: "...), a.CacheControl...), '\r', '\n')
	}
	if x.varies {
		b = append(b, "Vary: Origin\r\n"...)
	}
	b = append(b, a.Lines...)
	return a.AppendTail(b)
}

// errTornLetter says that somebody wrote behind a whole answer, with net/http's
// own writer: what the client would get is no message.
var errTornLetter = errors.New("serve: an answer was written to after it was complete")

// writeLetter writes the letter of x in the place of p, which is the head of
// an answer without a body; line is the length of its first line.
func (c *guarded) writeLetter(x *response, p []byte, line int) (int, error) {
	at := lengthIn(p, line)
	if at < 0 || len(p)-len(emptyLength)-len("\r\n") > letterRoom {
		_ = c.Conn.Close()
		return 0, errTornLetter
	}
	before, after := p[:at], p[at+len(emptyLength):len(p)-len("\r\n")]
	whole := *x.letter
	start := letterRoom - len(before) - len(after)
	copy(whole[start:], before)
	copy(whole[start+len(before):], after)
	_, err := c.Conn.Write(whole[start:])
	if cap(whole) <= maxLetter {
		letters.Put(x.letter)
	}
	x.letter = &sentLetter
	if err != nil {
		return 0, err
	}
	return len(p), nil
}

// lengthIn returns where p, a head and nothing else, says that there is no
// body, or -1 if it is not that.
func lengthIn(p []byte, line int) int {
	// Nearly always the date stands before it, and the end behind.
	if at := line + dateLength; len(p) == at+len(emptyLength)+len("\r\n") && string(p[at:]) == emptyLength+"\r\n" {
		return at
	}
	at := bytes.Index(p, []byte("\r\n"+emptyLength))
	if at < 0 || bytes.Index(p, []byte("\r\n\r\n")) != len(p)-len("\r\n\r\n") {
		return -1
	}
	return at + len("\r\n")
}

const (
	emptyLength = "Content-Length: 0\r\n"
	dateLength  = len("Date: " + http.TimeFormat + "\r\n")
)

// sentLetter stands for a letter that is on its way.
var sentLetter letter
