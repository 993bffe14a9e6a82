package ashlar_test

import (
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/serve"
)

// The tests of this file attack an app over a socket, the way somebody does
// who means harm. Each case names the practice that it holds.

func TestAttackFraming(t *testing.T) {
	t.Parallel()
	x := besiege(t, serve.Config{})
	const (
		post  = "POST /orders HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
		get   = "GET /orders/ann HTTP/1.1\r\nHost: x\r\n"
		chunk = post + "Transfer-Encoding: chunked\r\n\r\n"
		// A second request behind the attack: that it is answered where it
		// must not be is the whole of request smuggling.
		second = "GET /orders/smuggled HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
	)
	for name, c := range map[string]struct {
		raw  string
		want []int
	}{
		"P12.6 length and coding":               {post + "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", []int{400}},
		"P12.6 coding and length":               {post + "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n", []int{400}},
		"P12.6 two lengths":                     {post + "Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}", []int{400}},
		"P12.6 two lengths alike":               {post + "Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}", []int{400}},
		"P12.6 a list of lengths":               {post + "Content-Length: 2, 2\r\n\r\n{}", []int{400}},
		"P12.6 a length with a sign":            {post + "Content-Length: +2\r\n\r\n{}", []int{400}},
		"P12.6 xchunked":                        {post + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", []int{400}},
		"P12.6 gzip, chunked":                   {post + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", []int{400}},
		"P12.6 coding twice":                    {post + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", []int{400}},
		"P12.6 coding in HTTP/1.0":              {strings.Replace(chunk, "1.1", "1.0", 1) + "0\r\n\r\n", []int{400}},
		"P12.6 bare LF":                         {"GET /orders/ann HTTP/1.1\r\nHost: x\nX-A: b\r\n\r\n", []int{400}},
		"P12.6 bare LF at the end":              {"GET /orders/ann HTTP/1.1\r\nHost: x\r\n\n", []int{400}},
		"P12.6 bare CR":                         {get + "X-A: b\rc\r\n\r\n", []int{400}},
		"P12.6 folded field":                    {get + "X-A: b\r\n c\r\n\r\n", []int{400}},
		"P12.6 space before a colon":            {get + "Content-Length : 0\r\n\r\n", []int{400}},
		"P12.6 NUL in a field":                  {get + "X-A: a\x00b\r\n\r\n", []int{400}},
		"P12.6 chunk size of letters":           {chunk + "ZZ\r\n{}\r\n0\r\n\r\n", []int{400}},
		"P12.6 chunk size below zero":           {chunk + "-2\r\n{}\r\n0\r\n\r\n", []int{400}},
		"P12.6 chunk size above 64 bits":        {chunk + "ffffffffffffffffff\r\n{}\r\n0\r\n\r\n", []int{400}},
		"P12.6 chunk that ends in LF":           {chunk + "2\n{}\r\n0\r\n\r\n", []int{400}},
		"P12.6 chunk longer than its size":      {chunk + "2\r\n{}xx0\r\n\r\n", []int{400}},
		"P12.6 LF in a chunk extension":         {chunk + "2;a\nb\r\n{}\r\n0\r\n\r\n", []int{400}},
		"P12.6 a length in the trailer":         {chunk + "0\r\nContent-Length: 5\r\n\r\n", []int{400}},
		"P12.6 two hosts":                       {get + "Host: y\r\n\r\n", []int{400}},
		"P12.6 no host":                         {"GET /orders/ann HTTP/1.1\r\n\r\n", []int{400}},
		"P9.1 another version":                  {"GET /orders/ann HTTP/1.2\r\nHost: x\r\n\r\n", []int{505}},
		"P9.1 no HTTP":                          {"\x16\x03\x01\x02\r\n\r\n", []int{505}},
		"P12.5 a head of 64 kB":                 {get + "X-A: " + strings.Repeat("a", 64<<10) + "\r\n\r\n", []int{431}},
		"P12.5 a head of many fields":           {get + strings.Repeat("X-A: b\r\n", 9000) + "\r\n", []int{431}},
		"P9.1 the connection lives on":          {"GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n", []int{404, 200}},
		"P9.1 past a body that nobody read":     {post + "Content-Length: 3\r\n\r\nabc", []int{401, 200}},
		"P12.6 past chunks that are in order":   {chunk + "2\r\n{}\r\n0\r\nX-Trailer: a\r\n\r\n", []int{401, 200}},
		"P12.6 a body where none is looked for": {get + "Content-Length: 3\r\n\r\nabc", []int{400, 200}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			all := x.send(t, c.raw+second)
			if !slices.Equal(statuses(all), c.want) {
				t.Fatalf("answers %d, want %d", statuses(all), c.want)
			}
			checkProblem(t, all[0])
		})
	}
}

func TestAttackTargetsAndMethods(t *testing.T) {
	t.Parallel()
	x := besiege(t, serve.Config{})
	for name, c := range map[string]struct {
		method, path string
		want         int
	}{
		"P12.19 double slash":           {"GET", "//orders/ann", 404},
		"P12.19 double slash inside":    {"POST", "/orders//ann", 404},
		"P12.19 dot":                    {"GET", "/./orders/ann", 404},
		"P12.19 dot dot":                {"POST", "/x/../orders", 404},
		"P6.17 encoded dot dot":         {"GET", "/orders/%2e%2e", 404},
		"P6.17 encoded traversal":       {"GET", "/orders/..%2f..%2fetc%2fpasswd", 404},
		"P6.17 encoded slash":           {"GET", "/orders/a%2fb", 404},
		"P12.19 a slash encoded twice":  {"GET", "/orders/a%252fb", 200}, // one decode: a text like any other
		"P12.21 NUL":                    {"GET", "/orders/%00", 400},
		"P12.21 CRLF":                   {"GET", "/orders/a%0d%0aX-A:%20b", 400},
		"P12.21 broken UTF-8":           {"GET", "/orders/%ff", 400},
		"P12.21 overlong UTF-8":         {"GET", "/orders/%c0%af", 400},
		"P12.21 bidi override":          {"GET", "/orders/%E2%80%AE", 422},
		"P12.19 trailing slash":         {"GET", "/orders/", 404},
		"P12.19 another case":           {"GET", "/Orders", 404},
		"P12.19 path parameter":         {"GET", "/orders;a=b", 404},
		"P12.5 URI of 9 kB":             {"GET", "/orders/" + strings.Repeat("a", 9<<10), 414},
		"P12.5 query of 9 kB":           {"GET", "/orders?limit=" + strings.Repeat("1", 9<<10), 414},
		"P12.3 parameter twice":         {"GET", "/orders?limit=1&limit=9", 400},
		"P12.3 semicolon":               {"GET", "/orders?limit=1;b=2", 400},
		"P12.3 bad escape":              {"GET", "/orders?limit=%zz", 400},
		"P12.3 semicolon, unknown name": {"GET", "/orders?a=1;b=2", 400},
		"P10.5 unknown parameter":       {"GET", "/orders?role=admin", 422},
		"P10.7 tenant in the query":     {"GET", "/orders?merchant_id=other", 422},
		"P9.18 a page without end":      {"GET", "/orders?limit=1000000", 422},
		"P9.18 an invented cursor":      {"GET", "/orders?cursor=MSBwYXlfeA", 400},
		"P9.17 repository":              {"GET", "/.git/config", 404},
		"P9.17 environment":             {"GET", "/.env", 404},
		"P10.14 metrics":                {"GET", "/metrics", 404},
		"P10.14 profiles":               {"GET", "/debug/pprof/", 404},
		"P9.4 wrong method":             {"DELETE", "/orders", 405},
		"P9.4 trace":                    {"TRACE", "/orders", 405},
		"P9.4 a method nobody knows":    {"BREW", "/orders", 405},
		"P9.4 lower case":               {"get", "/orders", 405},
		"P9.4 connect":                  {"CONNECT", "x:80", 404},
		"P10.1 permission of no role":   {"GET", "/locked", 403},
		"P10.1 permission is met":       {"GET", "/orders?limit=1", 200},
		"P9.4 options of the whole":     {"OPTIONS", "*", 404},
		"P12.8 another host in the URI": {"GET", "http://evil.test/orders?limit=1", 200}, // no link is made of it
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := x.one(t, c.method, c.path, "")
			if got.status != c.want {
				t.Fatalf("answers %d, want %d: %s", got.status, c.want, got.body)
			}
			if got.status >= 400 {
				checkProblem(t, got)
			}
			if allow := got.header.Get("Allow"); (allow == "GET, HEAD, POST") != (got.status == 405) {
				t.Errorf("Allow: %q", allow)
			}
			if strings.Contains(got.header.Get("Location"), "/") {
				t.Errorf("leads to %q", got.header.Get("Location"))
			}
		})
	}
}

func TestAttackBodies(t *testing.T) {
	t.Parallel()
	x := besiege(t, serve.Config{})
	sub := func(old, with string) string {
		if !strings.Contains(goodOrder, old) {
			t.Fatalf("no %s to replace", old)
		}
		return strings.Replace(goodOrder, old, with, 1)
	}
	name := func(text string) string { return sub(`"ann"`, `"`+text+`"`) }
	amount := func(number string) string { return sub(`"amount":5`, `"amount":`+number) }
	deep := func(n int) string { return sub(`"ann"`, strings.Repeat("[", n)+strings.Repeat("]", n)) }
	for what, c := range map[string]struct {
		body string
		want int
	}{
		"P12.1 in order":                {goodOrder, 200},
		"P12.1 name twice":              {sub(`"amount":5`, `"amount":5,"amount":1`), 400},
		"P12.1 name twice, escaped":     {sub(`"amount":5`, `"amount":5,"amoun\u0074":1`), 400},
		"P12.1 name twice, inside":      {sub(`"count":1`, `"count":1,"count":2`), 400},
		"P12.1 name twice, in a map":    {sub(`"name"`, `"tags":{"a":"1","a":"2"},"name"`), 400},
		"P12.1 another case":            {sub(`"amount"`, `"AMOUNT"`), 422},
		"P12.1 a second document":       {goodOrder + "{}", 400},
		"P12.1 NUL behind":              {goodOrder + "\x00", 400},
		"P12.1 byte order mark":         {"\xef\xbb\xbf" + goodOrder, 400},
		"P12.1 broken UTF-8":            {name("\xff"), 400},
		"P12.1 overlong UTF-8":          {name("\xc0\xaf"), 400},
		"P12.1 surrogate as UTF-8":      {name("\xed\xa0\x80"), 400},
		"P12.1 half a surrogate pair":   {name(`\ud800`), 400},
		"P12.1 comment":                 {"/**/" + goodOrder, 400},
		"P12.1 comma too many":          {sub(`"count":1`, `"count":1,`), 400},
		"P12.1 cut off":                 {goodOrder[:len(goodOrder)-1], 400},
		"P6.10 null":                    {"null", 422},
		"P6.10 array":                   {"[" + goodOrder + "]", 422},
		"P6.10 text":                    {`"` + canary + `"`, 422},
		"P6.10 nothing in it":           {"{}", 422},
		"P6.10 null member":             {sub(`"ann"`, "null"), 422},
		"P6.10 null struct":             {sub(`{"count":1}`, "null"), 422},
		"P6.10 wrong type":              {sub(`"ann"`, "7"), 422},
		"P6.10 secret of wrong type":    {sub(`"`+canary+`"`, `["`+canary+`"]`), 422},
		"P9.3 secret that is too long":  {sub(canary, strings.Repeat(canary, 3)), 422},
		"P10.5 member that is not ours": {sub(`"name"`, `"role":"`+canary+`","name"`), 422},
		"P10.5 prototype":               {sub(`"name"`, `"__proto__":{"admin":true},"name"`), 422},
		"P12.2 nested 200 deep":         {deep(200), 400},
		"P12.2 nested 9999 deep":        {deep(9999), 400},
		"P12.2 nested and never closed": {strings.Repeat("[", 60_000), 400},
		"P12.2 above 64 bits":           {amount("9223372036854775808"), 422},
		"P12.2 1e400":                   {amount("1e400"), 422},
		"P12.2 an exponent of 60 kB":    {amount("1e" + strings.Repeat("9", 60_000)), 422},
		"P12.2 a number of 60 kB":       {amount(strings.Repeat("1", 60_000)), 422},
		"P12.2 a fraction":              {amount("1.5"), 422},
		"P12.2 a leading zero":          {amount("05"), 400},
		"P12.2 NaN":                     {amount("NaN"), 400},
		"P12.2 below zero":              {amount("-1"), 422},
		"P12.2 above 32 bits":           {sub(`"count":1`, `"count":4294967297`), 422},
		"P12.21 NUL":                    {name(`\u0000`), 422},
		"P12.21 control character":      {name(`\u0007`), 422},
		"P12.21 line end":               {name(`a\r\nb`), 422},
		"P12.21 bidi override":          {name(`\u202e`), 422},
		"P12.21 not escaped":            {name("\x07"), 400},
		"P12.21 NUL in a map's name":    {sub(`"name"`, `"tags":{"\u0000":"1"},"name"`), 422},
		"P12.21 a text of 60 kB":        {name(strings.Repeat("a", 60_000)), 422},
		"P6.14 a body above the limit":  {name(strings.Repeat("a", 200<<10)), 413},
		"P10.13 thousands of mistakes":  {"{" + manyMembers(5000) + "}", 422},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			got := x.one(t, "POST", "/orders", c.body)
			if got.status != c.want {
				t.Fatalf("answers %d, want %d: %.300s", got.status, c.want, got.body)
			}
			if strings.Contains(got.body, canary) {
				t.Errorf("the secret comes back: %s", got.body)
			}
			if got.status >= 400 {
				checkProblem(t, got)
			}
			if len(got.body) > 16<<10 {
				t.Errorf("an answer of %d bytes", len(got.body))
			}
		})
	}
	if strings.Contains(x.log.String(), canary) {
		t.Error("the secret is in the log (P6.3, P13.8)")
	}
}

func manyMembers(n int) string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprintf(`"k%d":1`, i)
	}
	return strings.Join(list, ",")
}

func TestAttackTokens(t *testing.T) {
	t.Parallel()
	x := besiege(t, serve.Config{})
	block, _ := pem.Decode([]byte(x.key.PEM().Reveal()))
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	ours := parsed.(ed25519.PrivateKey)
	_, foreign, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	b64 := base64.RawURLEncoding
	part := func(i int) map[string]any {
		text, err := b64.DecodeString(strings.Split(x.token, ".")[i])
		if err != nil {
			t.Fatal(err)
		}
		var members map[string]any
		if err := json.Unmarshal(text, &members); err != nil {
			t.Fatal(err)
		}
		return members
	}
	with := func(members map[string]any, name string, value any) map[string]any {
		if members[name] = value; value == nil {
			delete(members, name)
		}
		return members
	}
	head := func(name string, value any) map[string]any { return with(part(0), name, value) }
	claims := func(name string, value any) map[string]any { return with(part(1), name, value) }
	forge := func(header, body map[string]any, sign func([]byte) []byte) string {
		h, err := json.Marshal(header)
		if err != nil {
			t.Fatal(err)
		}
		c, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		text := b64.EncodeToString(h) + "." + b64.EncodeToString(c)
		return text + "." + b64.EncodeToString(sign([]byte(text)))
	}
	signed := func(header, body map[string]any) string {
		return forge(header, body, func(b []byte) []byte { return ed25519.Sign(ours, b) })
	}
	hs256 := func(secret []byte) string {
		return forge(head("alg", "HS256"), part(1), func(b []byte) []byte {
			mac := hmac.New(sha256.New, secret)
			mac.Write(b)
			return mac.Sum(nil)
		})
	}
	public := ours.Public().(ed25519.PublicKey)
	unsigned := func([]byte) []byte { return nil }
	now := time.Now().Unix()
	for name, c := range map[string]struct {
		header string
		want   int
		error  string // of the challenge
	}{
		"P11.1 in order":             {"Authorization: Bearer " + signed(part(0), part(1)), 200, ""},
		"P11.12 none":                {"Authorization:", 401, ""},
		"P11.12 another scheme":      {"Authorization: Basic YTpi", 401, ""},
		"P11.12 nothing in it":       {"Authorization: Bearer ", 401, "invalid_token"},
		"P11.1 alg none":             {"Authorization: Bearer " + forge(head("alg", "none"), part(1), unsigned), 401, "invalid_token"},
		"P11.1 alg NoNe":             {"Authorization: Bearer " + forge(head("alg", "NoNe"), part(1), unsigned), 401, "invalid_token"},
		"P11.1 HS256 with our key":   {"Authorization: Bearer " + hs256(public), 401, "invalid_token"},
		"P11.1 HS256 without a key":  {"Authorization: Bearer " + hs256(nil), 401, "invalid_token"},
		"P11.2 expired":              {"Authorization: Bearer " + signed(part(0), claims("exp", now-61)), 401, "invalid_token"},
		"P11.2 never expires":        {"Authorization: Bearer " + signed(part(0), claims("exp", nil)), 401, "invalid_token"},
		"P11.2 not yet":              {"Authorization: Bearer " + signed(part(0), claims("nbf", now+3600)), 401, "invalid_token"},
		"P11.2 from somebody else":   {"Authorization: Bearer " + signed(part(0), claims("iss", "evil")), 401, "invalid_token"},
		"P11.2 for somebody else":    {"Authorization: Bearer " + signed(part(0), claims("aud", "evil")), 401, "invalid_token"},
		"P11.2 of nobody":            {"Authorization: Bearer " + signed(part(0), claims("sub", "")), 401, "invalid_token"},
		"P11.3 another type":         {"Authorization: Bearer " + signed(head("typ", "JWT"), part(1)), 401, "invalid_token"},
		"P11.3 no type":              {"Authorization: Bearer " + signed(head("typ", nil), part(1)), 401, "invalid_token"},
		"P11.4 signed by another":    {"Authorization: Bearer " + forge(part(0), part(1), func(b []byte) []byte { return ed25519.Sign(foreign, b) }), 401, "invalid_token"},
		"P11.4 brings its own key":   {"Authorization: Bearer " + signed(head("jwk", map[string]string{"kty": "OKP"}), part(1)), 401, "invalid_token"},
		"P11.4 names its own key":    {"Authorization: Bearer " + signed(head("jku", "http://127.0.0.1/"), part(1)), 401, "invalid_token"},
		"P11.4 kid as a path":        {"Authorization: Bearer " + signed(head("kid", "../../dev/null"), part(1)), 401, "invalid_token"},
		"P11.4 no kid":               {"Authorization: Bearer " + signed(head("kid", nil), part(1)), 401, "invalid_token"},
		"P10.1 a role that is none":  {"Authorization: Bearer " + signed(part(0), claims("role", "king")), 403, "insufficient_scope"},
		"P12.5 a token of 5 kB":      {"Authorization: Bearer " + signed(part(0), claims("x", strings.Repeat("a", 5<<10))), 401, "invalid_token"},
		"P11.1 cut off":              {"Authorization: Bearer " + x.token[:len(x.token)-1], 401, "invalid_token"},
		"P11.1 two headers":          {"Authorization: Bearer " + x.token + "\r\nAuthorization: Bearer x", 401, "invalid_token"},
		"P11.13 in a cookie":         {"Authorization:\r\nCookie: access_token=" + x.token, 401, ""},
		"P11.20 a key that is none":  {"Authorization: Bearer ak_" + canary, 401, "invalid_token"},
		"P10.6 another method asked": {"Authorization: Bearer " + x.token + "\r\nX-HTTP-Method-Override: DELETE", 200, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := x.one(t, "GET", "/orders", "", c.header)
			if got.status != c.want {
				t.Fatalf("answers %d, want %d: %s", got.status, c.want, got.body)
			}
			challenge := got.header.Get("WWW-Authenticate")
			if (challenge != "") != (c.want != 200) || strings.Contains(challenge, "error=") != (c.error != "") || !strings.Contains(challenge, c.error) {
				t.Errorf("challenge %q, want error %q (P11.12)", challenge, c.error)
			}
			if c.want != 200 {
				checkProblem(t, got)
			}
		})
	}
	t.Run("P11.13 in the query", func(t *testing.T) {
		t.Parallel()
		if got := x.one(t, "GET", "/orders?access_token="+x.token, "", "Authorization:"); got.status != 401 {
			t.Errorf("answers %d", got.status)
		}
	})
	t.Cleanup(func() {
		if log := x.log.String(); strings.Contains(log, strings.Split(x.token, ".")[2]) || strings.Contains(log, canary) {
			t.Error("a token is in the log (P13.8)")
		}
	})
}

// Who is told of a wrong password learns nothing of whether there is such a
// person (P11.17).
func TestAttackEnumeration(t *testing.T) {
	t.Parallel()
	x := besiege(t, serve.Config{})
	ask := func(email string) string {
		got := x.one(t, "POST", "/v1/auth/login", fmt.Sprintf(`{"email":%q,"password":"wrong-%s"}`, email, canary), "Authorization:")
		checkProblem(t, got)
		var members map[string]any
		if err := json.Unmarshal([]byte(got.body), &members); err != nil {
			t.Fatal(err)
		}
		delete(members, "trace_id")
		for _, own := range []string{"Date", "X-Request-Id", "RateLimit"} { // the last counts by address
			got.header.Del(own)
		}
		return fmt.Sprint(got.status, members, got.header)
	}
	if known, unknown := ask("ann@b.test"), ask("bob@b.test"); known != unknown {
		t.Errorf("a known address is told\n%s\nand an unknown one\n%s", known, unknown)
	}
	if strings.Contains(x.log.String(), canary) {
		t.Error("a password is in the log (P6.3)")
	}
}

// A storm of sign-ins is answered in bounded time and memory, and leaves those
// alone who are signed in (P14.10).
func TestAttackSignInStorm(t *testing.T) {
	t.Parallel()
	x := besiege(t, serve.Config{})
	var storm sync.WaitGroup
	answers := make(chan answer, 60)
	for range cap(answers) {
		storm.Go(func() {
			answers <- x.one(t, "POST", "/v1/auth/login", `{"email":"ann@b.test","password":"wrong-password"}`)
		})
	}
	for range 10 {
		if got := x.one(t, "GET", "/orders?limit=1", ""); got.status != 200 {
			t.Errorf("who is signed in gets %d", got.status)
		}
	}
	storm.Wait()
	close(answers)
	count := map[int]int{}
	for got := range answers {
		count[got.status]++
		checkProblem(t, got)
	}
	// P6.12: ten guesses are tried at most, however many come side by side.
	if count[401] == 0 || count[401] > 10 || count[401]+count[429]+count[503] != 60 {
		t.Errorf("answers %v, want up to ten of 401 and else 429 and 503", count)
	}
}

// Whoever sends slowly is cut, one by one and in time (P12.4).
func TestAttackSlowClients(t *testing.T) {
	t.Parallel()
	const patience = 300 * time.Millisecond
	x := besiege(t, serve.Config{ReadHeaderTimeout: patience, ReadTimeout: patience, IdleTimeout: patience})
	for name, begin := range map[string]string{
		"nothing":          "",
		"half a head":      "GET /orders HTTP/1.1\r\nHost: x\r\nX-A: ",
		"half a body":      "POST /v1/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{",
		"half a chunk":     "POST /v1/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nff\r\n{",
		"a refused body":   "POST /orders HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{",
		"no next request":  "GET /orders/ann HTTP/1.1\r\nHost: x\r\n\r\n",
		"half a next head": "GET /orders/ann HTTP/1.1\r\nHost: x\r\n\r\nGET /orders/bob HTTP/1.1\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			began := time.Now()
			for _, got := range x.send(t, begin) { // it reads until the server closes
				if got.status >= 500 {
					t.Errorf("answers %d", got.status)
				}
			}
			if took := time.Since(began); took > 30*time.Second {
				t.Errorf("cut after %s", took)
			}
		})
	}
}

// What a caller says about itself is believed only where it can do no harm, and
// every request leaves one line (P5.2, P5.14, P12.7, P13.1, P13.7).
func TestAttackHeadersAndLog(t *testing.T) {
	t.Parallel()
	x := besiege(t, serve.Config{})
	trace := strings.Repeat("a", 32)
	for name, c := range map[string]struct {
		header  string
		id      string // expected, or empty for one of our own
		foreign string // that must not be in the log
	}{
		"P5.14 a good id":             {"X-Request-Id: good-id-1234", "good-id-1234", ""},
		"P5.14 an id of 5 kB":         {"X-Request-Id: " + strings.Repeat("i", 5000), "", "iiiii"},
		"P5.14 an id with quotes":     {`X-Request-Id: aaaaaaaa","level":"FORGED`, "", "FORGED"},
		"P13.7 an id with an escape":  {"X-Request-Id: aaaaaaaa\x1b[31m", "", "[31m"},
		"P5.14 two ids":               {"X-Request-Id: good-id-5678\r\nX-Request-Id: good-id-5678", "", "good-id-5678"},
		"P13.1 a good trace":          {"Traceparent: 00-" + trace + "-00f067aa0ba902b7-01", trace, ""},
		"P13.1 a trace of zeros":      {"Traceparent: 00-" + strings.Repeat("0", 32) + "-00f067aa0ba902b7-01", "", strings.Repeat("0", 32)},
		"P13.1 a trace in capitals":   {"Traceparent: 00-" + strings.Repeat("B", 32) + "-00f067aa0ba902b7-01", "", "BBBB"},
		"P13.2 40 states":             {"Tracestate: " + strings.Repeat("kkk=v,", 39) + "kkk=v", "", "kkk"},
		"P12.7 X-Forwarded-For":       {"X-Forwarded-For: 6.6.6.6", "", "6.6.6.6"},
		"P12.7 Forwarded":             {"Forwarded: for=6.6.6.7", "", "6.6.6.7"},
		"P12.7 X-Real-IP":             {"X-Real-IP: 6.6.6.8", "", "6.6.6.8"},
		"P12.9 a foreign origin":      {"Origin: https://evil.test", "", "evil.test"},
		"P10.6 another path asked":    {"X-Original-URL: /locked", "", "/locked"},
		"P13.8 a password in a field": {"X-Password: " + canary, "", canary},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := x.one(t, "GET", "/orders?limit=1", "", c.header)
			if strings.Contains(c.header, "\x1b") {
				if got.status != 400 {
					t.Errorf("answers %d", got.status)
				}
				return
			}
			if got.status != 200 {
				t.Fatalf("answers %d: %s", got.status, got.body)
			}
			id := got.header.Get("X-Request-Id")
			if c.id != "" && id != c.id || c.id == "" && len(id) != 32 {
				t.Errorf("request id %q, want %q", id, c.id)
			}
			if got.header.Get("Access-Control-Allow-Origin") != "" {
				t.Error("a foreign page may read this")
			}
			lines := x.log.about(t, id)
			if len(lines) != 1 {
				t.Fatalf("%d lines about the request", len(lines))
			}
			for _, key := range []string{"op", "status", "duration_ms", "principal", "trace_id", "client_ip"} {
				if lines[0][key] == nil || lines[0][key] == "" {
					t.Errorf("the access line has no %s: %v", key, lines[0])
				}
			}
			if lines[0]["client_ip"] != "127.0.0.1" {
				t.Errorf("logged for %v", lines[0]["client_ip"])
			}
			if c.foreign != "" && strings.Contains(x.log.String(), c.foreign) {
				t.Errorf("%.20q is in the log", c.foreign)
			}
		})
	}
}
