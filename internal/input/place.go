package input

import (
	"bytes"
	"encoding/json"
	"maps"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"
)

// Place is the way back: it puts members into a request, those that the route
// names into its path, and the others into the body or, if there is none, into
// the query. It takes the former out of members.
func Place(route string, pathFields []string, inBody bool, members map[string]json.RawMessage) (target string, body []byte, err error) {
	target = route
	for _, name := range pathFields {
		target = strings.Replace(target, "{"+name+"}", url.PathEscape(textOf(members[name])), 1)
		delete(members, name)
	}
	switch {
	case len(members) == 0:
		return target, nil, nil
	case inBody:
		body, err = json.Marshal(members)
		return target, body, err
	}
	query := make([]byte, 0, 64)
	for _, name := range slices.Sorted(maps.Keys(members)) {
		for _, value := range listOf(members[name]) {
			if len(query) > 0 {
				query = append(query, '&')
			}
			query = append(append(query, url.QueryEscape(name)...), '=')
			query = append(query, url.QueryEscape(textOf(value))...)
		}
	}
	if len(query) > 0 {
		target += "?" + string(query)
	}
	return target, nil, nil
}

// textOf returns a value as it stands in a path or query.
func textOf(value json.RawMessage) string {
	switch {
	case string(value) == "null":
		return ""
	case len(value) < 2 || value[0] != '"':
		return string(value)
	case bytes.IndexByte(value, '\\') < 0 && utf8.Valid(value):
		return string(value[1 : len(value)-1])
	}
	var text string
	if json.Unmarshal(value, &text) == nil {
		return text
	}
	return string(value)
}

// listOf returns the values that a member stands for in a query: the items of
// a list, nothing for null, else itself.
func listOf(value json.RawMessage) []json.RawMessage {
	switch {
	case string(value) == "null":
		return nil
	case len(value) > 0 && value[0] == '[':
		var list []json.RawMessage
		if json.Unmarshal(value, &list) == nil {
			return list
		}
	}
	return []json.RawMessage{value}
}
