package rule

// A Kind is the shape of a value on the wire.
type Kind uint8

// The kinds. Any stands for what only the fallback library can read: an
// interface, a type with JSON methods of its own, a map with keys that are
// not text.
const (
	Any Kind = iota
	Bool
	Int
	Uint
	Float
	String
	Bytes
	Time
	List
	Map
	Object
)

func (k Kind) String() string {
	return [...]string{"any", "bool", "int", "uint", "float", "text", "bytes", "time", "list", "map", "object"}[k]
}
