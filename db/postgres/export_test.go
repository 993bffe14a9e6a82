package postgres

// Pack, Unpack and FirstWord are tested by themselves.
var (
	Pack      = pack
	Unpack    = unpack
	FirstWord = firstWord
)
