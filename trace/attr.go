package trace

// maxAttrs bounds what is written down about one span; later ones are dropped.
const maxAttrs = 12

// Attr is one fact about a span. Keys follow OpenTelemetry's semantic
// conventions where they have one ("http.route"). A value must never be a
// secret or a person's data: who reads traces is seldom who may read those.
type Attr struct {
	Key  string
	text string
	num  int64
	kind attrKind
}

type attrKind uint8

const (
	isText attrKind = iota
	isInt
	isBool
	isStatement
)

// Text is an Attr with a text.
func Text(key, value string) Attr { return Attr{Key: key, text: value} }

// Int is an Attr with a number.
func Int(key string, value int64) Attr { return Attr{Key: key, num: value, kind: isInt} }

// Bool is an Attr that is so or not.
func Bool(key string, value bool) Attr {
	a := Attr{Key: key, kind: isBool}
	if value {
		a.num = 1
	}
	return a
}

// Statement is an SQL statement, as db.query.text. Literals in it are replaced
// by ? before it is exported, and a span without a name is named after it.
func Statement(sql string) Attr { return Attr{Key: "db.query.text", text: sql, kind: isStatement} }

// Value is the fact itself: a string, an int64 or a bool.
func (a Attr) Value() any {
	switch a.kind {
	case isInt:
		return a.num
	case isBool:
		return a.num == 1
	default:
		return a.text
	}
}
