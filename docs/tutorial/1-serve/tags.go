package main

import (
	"context"

	"github.com/ashlar-go/ashlar"
	"github.com/ashlar-go/ashlar/op"
)

// TagsBody lists all tags.
type TagsBody struct {
	Tags []string `json:"tags"`
}

// Tags is what this package brings to an application.
func Tags() ashlar.Module {
	return ashlar.Module{
		Name: "conduit",
		Operations: []op.Operation{
			op.Query("tags.list", "GET /api/tags", listTags, op.Public()),
		},
	}
}

// listTags lists the tags of all articles.
func listTags(context.Context, struct{}) (TagsBody, error) {
	return TagsBody{[]string{"dragons", "training"}}, nil
}
