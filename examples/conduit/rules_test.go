package main

import (
	"encoding/json"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/ashlar-go/ashlar/ashlartest"
)

// asked sends a request as a client of the contract does, who knows no problem
// documents.
func asked(c *ashlartest.Client, method, target, body string) *httptest.ResponseRecorder {
	return c.With("Accept", "application/json").Do(method, target, body)
}

// refused asserts the contract's answer to what is refused: a status, a key and a
// text.
func refused(t *testing.T, w *httptest.ResponseRecorder, status int, key, text string) {
	t.Helper()
	var got Errors
	err := json.Unmarshal(w.Body.Bytes(), &got)
	if err != nil || w.Code != status || len(got.Errors) != 1 || !slices.Contains(got.Errors[key], text) {
		t.Errorf("%d %s, want %d {%q: [%q]}", w.Code, w.Body, status, key, text)
	}
	if media := w.Header().Get("Content-Type"); media != "application/json" {
		t.Errorf("a failure is %s", media)
	}
}

const (
	blank = "can't be blank"
	long  = "must have at most "
)

// TestEveryFieldIsRefusedByItsKey goes through all fields of all bodies, with all
// that they can be and may not.
func TestEveryFieldIsRefusedByItsKey(t *testing.T) {
	t.Parallel()
	app := open(t)
	ann := person(app, "ann")
	article := ashlartest.Call[ArticleBody](ann, "articles.publish", Publish{draft("One")}).OK().Article
	at := "/api/articles/" + article.Slug
	for name, c := range map[string]struct {
		method, target string
		body           string // with %s for the field and its value
		fields         map[string]map[string]string
	}{
		"register": {"POST", "/api/users", `{"user":{"username":"bob","email":"bob@conduit.test","password":"password1"}}`, map[string]map[string]string{
			"username": {`absent`: blank, `null`: blank, `""`: blank, `"a b"`: `must match ^[^/?#%\t\n\f\r ]*$`, `7`: "must be a text", quoted(41): long + "40 characters"},
			"email":    {`absent`: blank, `null`: blank, `""`: blank, `"bob"`: "must be an e-mail address", `[]`: "must be a text"},
			"password": {`absent`: blank, `null`: blank, `""`: blank, `"seven77"`: "must have at least 8 characters", `true`: "must be a text", quoted(1025): long + "1024 characters"},
			"admin":    {`true`: "is not a member that is known here"},
		}},
		"login": {"POST", "/api/users/login", `{"user":{"email":"ann@conduit.test","password":"password1"}}`, map[string]map[string]string{
			"email":    {`absent`: blank, `null`: blank, `""`: blank, `{}`: "must be a text"},
			"password": {`absent`: blank, `null`: blank, `""`: blank, `1`: "must be a text"},
		}},
		"update": {"PUT", "/api/user", `{"user":{"bio":"x"}}`, map[string]map[string]string{
			"username": {`null`: blank, `""`: blank, quoted(41): long + "40 characters"},
			"email":    {`null`: blank, `""`: blank, `"ann@"`: "must be an e-mail address"},
			"password": {`null`: blank, `""`: blank, `"seven77"`: "must have at least 8 characters"},
			"bio":      {`7`: "must be a text", quoted(4097): long + "4096 characters"},
			"image":    {`7`: "must be a text", quoted(2049): long + "2048 characters"},
		}},
		"publish": {"POST", "/api/articles", `{"article":{"title":"T","description":"D","body":"B","tagList":["x"]}}`, map[string]map[string]string{
			"title":       {`absent`: blank, `null`: blank, `""`: blank, `7`: "must be a text", quoted(201): long + "200 characters"},
			"description": {`absent`: blank, `null`: blank, `""`: blank, quoted(1001): long + "1000 characters"},
			"body":        {`absent`: blank, `null`: blank, `""`: blank, quoted(100_001): long + "100000 characters"},
			"tagList":     {`null`: blank, `"x"`: "must be a list", `[""]`: blank, `[null]`: blank, `[7]`: "must be a text", `["` + strings.Repeat(`a","`, 20) + `b"]`: long + "20 items"},
		}},
		"edit": {"PUT", at, `{"article":{}}`, map[string]map[string]string{
			"title":       {`null`: blank, `""`: blank},
			"description": {`null`: blank, `""`: blank},
			"body":        {`null`: blank, `""`: blank},
			"tagList":     {`null`: blank, `[""]`: blank},
			"slug":        {`"mine"`: "is not a member that is known here"},
		}},
		"comment": {"POST", at + "/comments", `{"comment":{"body":"B"}}`, map[string]map[string]string{
			"body": {`absent`: blank, `null`: blank, `""`: blank, `[]`: "must be a text", quoted(10_001): long + "10000 characters"},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for field, values := range c.fields {
				for value, text := range values {
					refused(t, asked(ann, c.method, c.target, with(t, c.body, field, value)), 422, field, text)
				}
			}
			var wrapper map[string]json.RawMessage
			if err := json.Unmarshal([]byte(c.body), &wrapper); err != nil {
				t.Fatal(err)
			}
			for key := range wrapper {
				refused(t, asked(ann, c.method, c.target, `{}`), 422, key, blank)
				refused(t, asked(ann, c.method, c.target, `{"`+key+`":null}`), 422, key, blank)
				refused(t, asked(ann, c.method, c.target, `{"`+key+`":[]}`), 422, key, "must be an object")
			}
			if w := asked(ann, c.method, c.target, `{`); w.Code != 400 {
				t.Errorf("no JSON: %d %s", w.Code, w.Body)
			}
		})
	}
}

// quoted is a text of n characters.
func quoted(n int) string { return `"` + strings.Repeat("a", n) + `"` }

// with gives one field of the object that a body wraps another value.
func with(t *testing.T, body, field, value string) string {
	t.Helper()
	wrapper := map[string]map[string]json.RawMessage{}
	if err := json.Unmarshal([]byte(body), &wrapper); err != nil {
		t.Fatal(err)
	}
	for _, object := range wrapper {
		object[field] = json.RawMessage(value)
		if value == "absent" {
			delete(object, field)
		}
	}
	out, err := json.Marshal(wrapper)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

func draft(title string, tags ...Tag) NewArticle {
	return NewArticle{Title: title, Description: "About " + title, Body: "All about " + title, TagList: tags}
}

func TestParametersAreRefusedByTheirKey(t *testing.T) {
	t.Parallel()
	app := open(t)
	ann := person(app, "ann")
	for query, want := range map[string][2]string{
		"limit=0":         {"limit", "must be between 1 and 100"},
		"limit=101":       {"limit", "must be between 1 and 100"},
		"limit=x":         {"limit", "must be a whole number"},
		"offset=-1":       {"offset", "must be between 0 and 1000000"},
		"offset=1000001":  {"offset", "must be between 0 and 1000000"},
		"page=2":          {"page", "is not a parameter of this operation"},
		"limit=1&limit=2": {"request", "The query gives limit more than once."},
	} {
		status := 422
		if want[0] == "request" {
			status = 400
		}
		for _, path := range []string{"/api/articles?", "/api/articles/feed?"} {
			refused(t, asked(ann, "GET", path+query, ""), status, want[0], want[1])
		}
	}
	author := ashlartest.Call[ArticleBody](ann, "articles.publish", Publish{draft("One")}).OK().Article
	refused(t, asked(ann, "DELETE", "/api/articles/"+author.Slug+"/comments/x", ""), 422, "id", "must be a whole number")
}

// TestWhoMayNotIsToldByKind goes through the refusals that are no broken rules.
func TestWhoMayNotIsToldByKind(t *testing.T) {
	t.Parallel()
	app := open(t)
	ann, bob, nobody := person(app, "ann"), person(app, "bob"), app.Anonymous()
	article := ashlartest.Call[ArticleBody](ann, "articles.publish", Publish{draft("One")}).OK().Article
	at := "/api/articles/" + article.Slug
	comment := ashlartest.Call[CommentBody](ann, "comments.add", Say{article.Slug, NewComment{"Yes."}}).OK().Comment
	for _, c := range []struct {
		client               *ashlartest.Client
		method, target, body string
		status               int
		key, text            string
	}{
		{nobody, "GET", "/api/user", "", 401, "token", "is missing"},
		{nobody, "PUT", "/api/user", `{"user":{"bio":"x"}}`, 401, "token", "is missing"},
		{nobody, "POST", "/api/profiles/ann/follow", "", 401, "token", "is missing"},
		{nobody, "DELETE", "/api/profiles/ann/follow", "", 401, "token", "is missing"},
		{nobody, "GET", "/api/articles/feed", "", 401, "token", "is missing"},
		{nobody, "POST", "/api/articles", `{}`, 401, "token", "is missing"},
		{nobody, "PUT", at, `{}`, 401, "token", "is missing"},
		{nobody, "DELETE", at, "", 401, "token", "is missing"},
		{nobody, "POST", at + "/favorite", "", 401, "token", "is missing"},
		{nobody, "DELETE", at + "/favorite", "", 401, "token", "is missing"},
		{nobody, "POST", at + "/comments", `{}`, 401, "token", "is missing"},
		{nobody, "DELETE", at + "/comments/1", "", 401, "token", "is missing"},
		{nobody.With("Authorization", "Token x.y.z"), "GET", "/api/articles", "", 401, "token", "is invalid"},

		{nobody, "POST", "/api/users/login", `{"user":{"email":"ann@conduit.test","password":"password2"}}`, 401, "credentials", "invalid"},
		{nobody, "POST", "/api/users/login", `{"user":{"email":"eve@conduit.test","password":"password1"}}`, 401, "credentials", "invalid"},
		{nobody, "POST", "/api/users/login", `{"user":{"email":"no address","password":"password1"}}`, 401, "credentials", "invalid"},

		{nobody, "POST", "/api/users", `{"user":{"username":"ann","email":"new@conduit.test","password":"password1"}}`, 409, "username", "has already been taken"},
		{nobody, "POST", "/api/users", `{"user":{"username":"new","email":"Ann@conduit.test","password":"password1"}}`, 409, "email", "has already been taken"},
		{bob, "PUT", "/api/user", `{"user":{"username":"ann"}}`, 409, "username", "has already been taken"},
		{bob, "PUT", "/api/user", `{"user":{"bio":"lost","email":"ann@conduit.test"}}`, 409, "email", "has already been taken"},
		{bob, "PUT", "/api/user", `{"user":{}}`, 422, "user", blank},

		{bob, "GET", "/api/profiles/eve", "", 404, "profile", "not found"},
		{bob, "POST", "/api/profiles/eve/follow", "", 404, "profile", "not found"},
		{bob, "DELETE", "/api/profiles/eve/follow", "", 404, "profile", "not found"},
		{bob, "GET", "/api/articles/none", "", 404, "article", "not found"},
		{bob, "PUT", "/api/articles/none", `{"article":{"title":"x"}}`, 404, "article", "not found"},
		{bob, "DELETE", "/api/articles/none", "", 404, "article", "not found"},
		{bob, "POST", "/api/articles/none/favorite", "", 404, "article", "not found"},
		{bob, "DELETE", "/api/articles/none/favorite", "", 404, "article", "not found"},
		{bob, "GET", "/api/articles/none/comments", "", 404, "article", "not found"},
		{bob, "POST", "/api/articles/none/comments", `{"comment":{"body":"x"}}`, 404, "article", "not found"},
		{bob, "DELETE", "/api/articles/none/comments/1", "", 404, "article", "not found"},
		{bob, "DELETE", at + "/comments/999", "", 404, "comment", "not found"},

		{bob, "PUT", at, `{"article":{"title":"x"}}`, 403, "article", "forbidden"},
		{bob, "DELETE", at, "", 403, "article", "forbidden"},
		{bob, "DELETE", at + "/comments/" + number(comment.ID), "", 403, "comment", "forbidden"},

		{bob, "GET", "/api/nowhere", "", 404, "request", "There is nothing at this path."},
	} {
		t.Run(c.method+" "+c.target+" "+c.key, func(t *testing.T) {
			t.Parallel()
			refused(t, asked(c.client, c.method, c.target, c.body), c.status, c.key, c.text)
		})
	}
}

func number(id int64) string { return strconv.FormatInt(id, 10) }
