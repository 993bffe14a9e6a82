package main

import (
	"strings"

	"github.com/ashlar-go/ashlar/fault"
)

// Errors is what the contract answers failures with: what is wrong, and how.
type Errors struct {
	Errors map[string][]string `json:"errors"`
}

// errorsOf says a problem in the words of the contract.
func errorsOf(p fault.Problem) Errors {
	out := map[string][]string{}
	for _, v := range p.Errors {
		field := v.Pointer[strings.LastIndexByte(v.Pointer, '/')+1:]
		out[field] = append(out[field], v.Detail)
	}
	switch kind, notFound := strings.CutSuffix(p.Code, "_not_found"); {
	case len(p.Errors) > 0:
	case p.Status == 401:
		out["token"] = []string{"is missing"}
	case notFound:
		out[kind] = []string{"not found"}
	default:
		out["request"] = []string{strings.ReplaceAll(p.Code, "_", " ")}
	}
	return Errors{out}
}
