package rule

// An Optional is a member of a partial update. It tells apart a member that
// is absent (Set is false), null (Null is true) and given. The zero Optional
// is absent; encoders leave it out.
type Optional[T any] struct {
	Value T
	// Set says that the member was present, null or not.
	Set bool
	// Null says that the member was null; then Value is zero.
	Null bool
}

// Some returns an Optional that holds v.
func Some[T any](v T) Optional[T] { return Optional[T]{Value: v, Set: true} }

// Null returns an Optional that holds null.
func Null[T any]() Optional[T] { return Optional[T]{Set: true, Null: true} }

// Get returns the value and whether there is one.
func (o Optional[T]) Get() (T, bool) { return o.Value, o.Set && !o.Null }

// Apply stores the value in *dst if one was given. Null clears *dst.
func (o Optional[T]) Apply(dst *T) {
	if o.Set {
		*dst = o.Value
	}
}

// IsZero reports whether the member is absent.
func (o Optional[T]) IsZero() bool { return !o.Set }
