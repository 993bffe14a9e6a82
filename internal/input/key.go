package input

import (
	"encoding/binary"
	"net/http"
)

// AppendKey appends to key what tells the input of one request from those of
// others: the texts of its members in the order of their declaration, whatever
// order and escapes the URL has them in. It is for requests that [Input.Read]
// has read without an error, and leaves out their bodies.
func (in *Input) AppendKey(key []byte, r *http.Request, query string) []byte {
	for _, p := range in.path {
		key = appendText(key, r.PathValue(p.name))
	}
	if query == "" {
		return key
	}
	var given [8]string
	for i, q := range in.query {
		values, err := parameter(query, q.name, given[:0])
		if err != nil || len(values) == 0 {
			continue // Read has read it
		}
		key = binary.AppendUvarint(key, uint64(i))
		key = binary.AppendUvarint(key, uint64(len(values)))
		for _, value := range values {
			key = appendText(key, value)
		}
	}
	return key
}

func appendText(key []byte, text string) []byte {
	key = binary.AppendUvarint(key, uint64(len(text)))
	return append(key, text...)
}
