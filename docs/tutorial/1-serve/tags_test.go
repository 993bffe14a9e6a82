package main

import (
	"testing"

	"github.com/ashlar-go/ashlar/ashlartest"
)

func TestTagsAreListed(t *testing.T) {
	t.Parallel()
	app := ashlartest.Open(t)
	app.Mount(Tags())

	got := ashlartest.Call[TagsBody](app.Anonymous(), "tags.list", nil).OK()
	if len(got.Tags) != 2 {
		t.Errorf("%+v", got)
	}
}
