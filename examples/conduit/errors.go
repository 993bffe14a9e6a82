package main

import (
	"net/http"
	"strings"

	"github.com/ashlar-go/ashlar/access"
	"github.com/ashlar-go/ashlar/auth"
	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/rule"
)

// Everybody who registers is a member, and may write.
const (
	member                   = "member"
	Write  access.Permission = "conduit:write"
)

// What operations refuse. The contract is told the first word, and how it is
// refused by the others.
const (
	ErrUsernameTaken    fault.Conflict = "username_taken"
	ErrProfileNotFound  fault.NotFound = "profile_not_found"
	ErrArticleNotFound  fault.NotFound = "article_not_found"
	ErrArticleForbidden fault.Denied   = "article_forbidden"
	ErrCommentNotFound  fault.NotFound = "comment_not_found"
	ErrCommentForbidden fault.Denied   = "comment_forbidden"
)

// Errors is what the contract answers failures with: what is wrong, and how.
type Errors struct {
	Errors map[string][]string `json:"errors"`
}

// errorsOf says a problem in the words of the contract.
func errorsOf(p fault.Problem) Errors {
	out := map[string][]string{}
	for _, v := range p.Errors {
		key := fieldOf(v.Pointer)
		out[key] = append(out[key], saying(v))
	}
	if len(p.Errors) == 0 {
		key, text := wording(p)
		out[key] = []string{text}
	}
	return Errors{out}
}

func wording(p fault.Problem) (key, text string) {
	kind := strings.TrimSuffix(strings.TrimSuffix(strings.TrimSuffix(p.Code, "_taken"), "_not_found"), "_forbidden")
	switch {
	case p.Code == auth.ErrSignIn.Code():
		return "credentials", "invalid"
	case p.Code == fault.ErrUnauthenticated.Code():
		return "token", "is missing"
	case p.Status == http.StatusUnauthorized:
		return "token", "is invalid"
	case p.Status == http.StatusConflict && kind != p.Code:
		return kind, "has already been taken"
	case p.Status == http.StatusNotFound && kind != p.Code:
		return kind, "not found"
	case p.Status == http.StatusForbidden && kind != p.Code:
		return kind, "forbidden"
	case p.Detail != "":
		return "request", p.Detail
	default:
		return "request", strings.ReplaceAll(p.Code, "_", " ")
	}
}

// fieldOf is the field that a pointer leads to: "tagList" for
// "/article/tagList/0".
func fieldOf(pointer string) string {
	_, path, _ := strings.Cut(pointer, "/")
	field, rest, wrapped := strings.Cut(path, "/")
	if wrapped {
		field, _, _ = strings.Cut(rest, "/")
	}
	return field
}

// saying is the contract's text for a broken rule.
func saying(v fault.Violation) string {
	if rule.Blank(v) {
		return "can't be blank"
	}
	return v.Detail
}
