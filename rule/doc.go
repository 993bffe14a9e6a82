// Package rule says what a valid value is, once, in Go.
//
// A type says what it accepts in a Rules method. The method runs when an
// operation is declared, never per request; it names fields by pointer, so a
// rename follows and a wrong type does not compile:
//
//	func (in *Authorize) Rules(r *rule.Set) {
//		rule.Number(r, &in.Amount).Between(1, 999_999_99)
//		rule.OneOf(r, &in.Currency, EUR, GBP, USD)
//		rule.Text(r, &in.Reference).Len(1, 64).Match(`^[A-Za-z0-9-]+$`)
//	}
//
// What it recorded becomes part of the [Type] that [Describe] returns: the
// tree of kinds, fields and constraints that the decoder, the API documents,
// the clients and the test factories all read. So what is published and what
// is enforced cannot differ.
//
// A field is required unless it is a pointer, an [Optional], or has the JSON
// tag option omitzero or omitempty. Struct tags give names, nothing else.
// Rules describes the type, so it must not depend on a value: it may not
// branch on the fields it is given. What needs two fields belongs into a
// Validate() error method, which runs after every rule held.
//
// A field's rules start from those of its own type and of the struct that it
// was embedded with, and replace what they say again.
//
// Lists and maps are bounded without being asked, at [DefaultMaxItems], and so
// is text: at most [DefaultMaxLen] code points,
// and neither control characters nor bidirectional overrides. [TextRules.Multiline]
// and [TextRules.Raw] loosen that by name.
package rule
