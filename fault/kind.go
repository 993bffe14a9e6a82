package fault

import "net/http"

// The kinds of fault, one for each answer an operation can refuse with.
type (
	// Malformed says that the request could not be read: 400.
	Malformed = Code[malformed]
	// Unauthenticated says that nobody, or nobody known, is asking: 401.
	Unauthenticated = Code[unauthenticated]
	// Refused says that a valid request was turned down by the business, as a
	// declined card is: 402.
	Refused = Code[refused]
	// Denied says that the principal may not do this: 403.
	Denied = Code[denied]
	// NotFound says that there is no such thing, or none that the principal
	// may know of: 404.
	NotFound = Code[notFound]
	// NotAllowed says that the resource does not know the method: 405.
	NotAllowed = Code[notAllowed]
	// NotAcceptable says that no representation satisfies Accept: 406.
	NotAcceptable = Code[notAcceptable]
	// Slow says that the request did not arrive in time: 408.
	Slow = Code[slow]
	// Conflict says that the thing's present state forbids the change: 409.
	Conflict = Code[conflict]
	// Gone says that the thing was here and will not come back: 410.
	Gone = Code[gone]
	// Stale says that a precondition such as If-Match does not hold: 412.
	Stale = Code[stale]
	// TooLarge says that the content exceeds the operation's limit: 413.
	TooLarge = Code[tooLarge]
	// TooLong says that the request target exceeds the limit: 414.
	TooLong = Code[tooLong]
	// Unsupported says that the content's media type is not read here: 415.
	Unsupported = Code[unsupported]
	// Misdirected says that this server does not answer for that host: 421.
	Misdirected = Code[misdirected]
	// Invalid says that the request was read and breaks a rule: 422.
	Invalid = Code[invalid]
	// Precondition says that the request must be conditional: 428.
	Precondition = Code[precondition]
	// Limited says that the principal asks too often: 429.
	Limited = Code[limited]
	// Internal says that the service failed: 500.
	Internal = Code[internal]
	// Upstream says that a service behind this one answered badly: 502.
	Upstream = Code[upstream]
	// Unavailable says that the service cannot answer now: 503.
	Unavailable = Code[unavailable]
	// Timeout says that the work did not end in time: 504.
	Timeout = Code[timeout]
)

// kind is implemented by the marker types below and by nothing else: the set
// of kinds is closed, so every derivation can list it.
type kind interface{ status() int }

type (
	malformed       struct{}
	unauthenticated struct{}
	refused         struct{}
	denied          struct{}
	notFound        struct{}
	notAllowed      struct{}
	notAcceptable   struct{}
	slow            struct{}
	conflict        struct{}
	gone            struct{}
	stale           struct{}
	tooLarge        struct{}
	tooLong         struct{}
	unsupported     struct{}
	misdirected     struct{}
	invalid         struct{}
	precondition    struct{}
	limited         struct{}
	internal        struct{}
	upstream        struct{}
	unavailable     struct{}
	timeout         struct{}
)

func (malformed) status() int       { return http.StatusBadRequest }
func (unauthenticated) status() int { return http.StatusUnauthorized }
func (refused) status() int         { return http.StatusPaymentRequired }
func (denied) status() int          { return http.StatusForbidden }
func (notFound) status() int        { return http.StatusNotFound }
func (notAllowed) status() int      { return http.StatusMethodNotAllowed }
func (notAcceptable) status() int   { return http.StatusNotAcceptable }
func (slow) status() int            { return http.StatusRequestTimeout }
func (conflict) status() int        { return http.StatusConflict }
func (gone) status() int            { return http.StatusGone }
func (stale) status() int           { return http.StatusPreconditionFailed }
func (tooLarge) status() int        { return http.StatusRequestEntityTooLarge }
func (tooLong) status() int         { return http.StatusRequestURITooLong }
func (unsupported) status() int     { return http.StatusUnsupportedMediaType }
func (misdirected) status() int     { return http.StatusMisdirectedRequest }
func (invalid) status() int         { return http.StatusUnprocessableEntity }
func (precondition) status() int    { return http.StatusPreconditionRequired }
func (limited) status() int         { return http.StatusTooManyRequests }
func (internal) status() int        { return http.StatusInternalServerError }
func (upstream) status() int        { return http.StatusBadGateway }
func (unavailable) status() int     { return http.StatusServiceUnavailable }
func (timeout) status() int         { return http.StatusGatewayTimeout }

// Faults that any operation may answer, because the framework itself raises
// them. An operation does not list them in its own declaration.
const (
	ErrMalformed       Malformed       = "malformed"
	ErrUnauthenticated Unauthenticated = "unauthenticated"
	ErrToken           Unauthenticated = "token_invalid"
	ErrDenied          Denied          = "permission_denied"
	ErrNotFound        NotFound        = "not_found"
	ErrNotAllowed      NotAllowed      = "method_not_allowed"
	ErrNotAcceptable   NotAcceptable   = "not_acceptable"
	ErrSlow            Slow            = "request_timeout"
	ErrTooLarge        TooLarge        = "body_too_large"
	ErrTooLong         TooLong         = "target_too_long"
	ErrUnsupported     Unsupported     = "media_type_unsupported"
	ErrMisdirected     Misdirected     = "host_unknown"
	ErrInvalid         Invalid         = "invalid"
	ErrStale           Stale           = "stale"
	ErrPrecondition    Precondition    = "precondition_required"
	ErrLimited         Limited         = "rate_limited"
	ErrInternal        Internal        = "internal"
	ErrUnavailable     Unavailable     = "unavailable"
	ErrOverloaded      Unavailable     = "overloaded"
	ErrBusy            Unavailable     = "operation_busy"
	ErrTimeout         Timeout         = "deadline_exceeded"

	ErrKeyMissing   Malformed = "idempotency_key_missing"
	ErrKeyMalformed Malformed = "idempotency_key_malformed"
	ErrKeyReused    Invalid   = "idempotency_key_reused"
	ErrKeyInFlight  Conflict  = "idempotency_key_in_flight"
)
