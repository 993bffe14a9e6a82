package serve

import (
	"net/http"
	"testing"

	"github.com/ashlar-go/ashlar/internal/scope"
)

// written takes what is written to it, up to a length.
type written struct {
	full

	text   []byte
	closed bool
}

func (w *written) Write(p []byte) (int, error) {
	n, err := w.full.Write(p)
	w.text = append(w.text, p[:n]...)
	return n, err
}

func (w *written) Close() error {
	w.closed = true
	return nil
}

// sealed returns a connection on which an answer waits for its head.
func sealed(left int) (*guarded, *written) {
	o := Observe(http.NotFoundHandler(), Observer{}).(*observer)
	x := &response{obs: o, varies: true}
	x.scope.RequestID = "an-id-of-some-length"
	x.letter = letters.Get().(*letter)
	*x.letter = x.appendLetter((*x.letter)[:letterRoom], &scope.Answer{ContentType: "text/plain", ETag: `"1"`, Body: []byte("hello")})
	to := &written{full: full{left: left}}
	c := &guarded{Conn: to}
	c.answer.Store(x)
	return c, to
}

const (
	sealedStart = "HTTP/1.1 203 Non-Authoritative Information\r\nDate: Sun, 01 Mar 2026 23:59:59 GMT\r\n"
	sealedRest  = "X-Content-Type-Options: nosniff\r\n" +
		"Content-Security-Policy: default-src 'none'; frame-ancestors 'none'\r\n" +
		"Referrer-Policy: no-referrer\r\nCache-Control: no-store\r\nX-Request-Id: an-id-of-some-length\r\n" +
		"Vary: Origin\r\nEtag: \"1\"\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello"
)

func TestALetterStandsBehindWhatIsSaidOfTheConnection(t *testing.T) {
	t.Parallel()
	for _, connection := range []string{"", "Connection: close\r\n", "Connection: keep-alive\r\n"} {
		c, to := sealed(1 << 10)
		head := []byte(sealedStart + emptyLength + connection + "\r\n")
		if n, err := c.Write(head); n != len(head) || err != nil {
			t.Fatalf("%d, %v", n, err)
		}
		if got, want := string(to.text), sealedStart+connection+sealedRest; got != want {
			t.Errorf("got  %q\nwant %q", got, want)
		}
	}
}

// TestATornLetterIsNotSent holds that nobody gets two answers for one: what
// stands in a head that is not that of an answer without a body was written by
// somebody who went past the observed writer.
func TestATornLetterIsNotSent(t *testing.T) {
	t.Parallel()
	for name, head := range map[string]string{
		"a body":           sealedStart + "Content-Length: 4\r\n\r\nmore",
		"a body, behind":   sealedStart + emptyLength + "\r\nmore",
		"in chunks":        sealedStart + "Transfer-Encoding: chunked\r\n\r\n4\r\nmore\r\n",
		"no length":        sealedStart + "\r\n",
		"half a head":      sealedStart + emptyLength,
		"a longer head":    sealedStart + "X-Long: " + string(make([]byte, letterRoom)) + "\r\n" + emptyLength + "\r\n",
		"length in a name": sealedStart + "X-" + emptyLength + "\r\n",
	} {
		c, to := sealed(1 << 10)
		if _, err := c.Write([]byte(head)); err == nil || len(to.text) > 0 || !to.closed {
			t.Errorf("%s: %v, closed %t, sent %q", name, err, to.closed, to.text)
		}
	}
}

// TestACutLetterIsAnError holds what Write says of a letter that was cut.
func TestACutLetterIsAnError(t *testing.T) {
	t.Parallel()
	head := []byte(sealedStart + emptyLength + "\r\n")
	for left := range len(sealedStart) + len(sealedRest) {
		c, _ := sealed(left)
		if n, err := c.Write(head); n != 0 || err == nil {
			t.Fatalf("cut at %d: %d, %v", left, n, err)
		}
	}
}
