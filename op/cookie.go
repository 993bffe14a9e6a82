package op

import "net/http"

// CookieSetter is implemented by answers that come with cookies. An answer that
// is nothing but cookies, a struct without fields, has no body: 204.
type CookieSetter interface{ Cookies() []*http.Cookie }
