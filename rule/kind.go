package rule

// A Kind is the shape of a value on the wire.
type Kind uint8

// The kinds. Any stands for what only the fallback library can read: an
// interface, an array, a type with JSON methods of its own, a map with keys
// that are not text. A pointer in a list is Any too, see [Type.Go].
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
