package contract

import (
	"fmt"
	"slices"
	"strings"
)

// signs are the headers that come and go with what is compared elsewhere.
var signs = []string{"RateLimit", "RateLimit-Policy", "Retry-After", "Deprecation", "Sunset", "WWW-Authenticate"}

// responses compares what is answered: successes by what is in them, failures
// by their codes.
func (c *comparison) responses() {
	was, _ := c.before.node["responses"].(node)
	is, _ := c.after.node["responses"].(node)
	for _, status := range sorted(was) {
		if _, has := is[status]; has {
			old, _ := c.before.follow(was[status])
			now, _ := c.after.follow(is[status])
			c.headers(status, old, now)
		}
		if !strings.HasPrefix(status, "2") {
			continue
		}
		if _, has := is[status]; !has {
			c.breaks("status-removed", status, "it does not answer with "+status+" any more, but with "+successes(is), "consumers that wait for "+status+" take the answer for a failure")
			continue
		}
		old, _ := c.before.follow(was[status])
		now, _ := c.after.follow(is[status])
		c.answer(status, old, now)
	}
	for _, status := range sorted(is) {
		if _, had := was[status]; !had && strings.HasPrefix(status, "2") {
			c.breaks("status-added", status, "it may answer with "+status+" now", "consumers that do not know "+status+" take the answer for a failure, or for another")
		}
	}
	c.codes(was, is)
}

func successes(responses node) string {
	var all []string
	for _, status := range sorted(responses) {
		if strings.HasPrefix(status, "2") {
			all = append(all, status)
		}
	}
	if all == nil {
		return "no success"
	}
	return strings.Join(all, " or ")
}

// answer compares one success.
func (c *comparison) answer(status string, old, now node) {
	was, is := contents(old), contents(now)
	for _, media := range sorted(was) {
		content, has := is[media]
		if !has {
			c.breaks("media-removed", status+"/"+media, fmt.Sprintf("the answer %s is not of %s any more", status, media), "consumers that ask for it get 406, or another type")
			continue
		}
		here := side{place: status, words: "the answer " + status}
		c.schema(here, was[media]["schema"], content["schema"])
		if item, said := was[media]["x-itemSchema"]; said {
			here.words = "an event"
			here.place += "/event"
			c.schema(here, item, content["x-itemSchema"])
		}
	}
	if len(was) == 0 && len(is) > 0 && status != "204" {
		c.tells("body-answered", status, fmt.Sprintf("the answer %s has a body now", status), "consumers may let it be")
	}
}

// headers compares those of an answer, of a failure too: whether they are there,
// and what they may be.
func (c *comparison) headers(status string, old, now node) {
	headers, _ := old["headers"].(node)
	others, _ := now["headers"].(node)
	for _, name := range sorted(headers) {
		other, has := others[name]
		if !has {
			if !slices.Contains(signs, name) {
				c.breaks("header-removed", status+"/"+name, fmt.Sprintf("the answer %s has no header %s any more", status, name), "consumers that read it find nothing")
			}
			continue
		}
		was, _ := c.before.follow(headers[name])
		is, _ := c.after.follow(other)
		if was["required"] == true && is["required"] != true {
			c.breaks("header-optional", status+"/"+name, fmt.Sprintf("the header %s of the answer %s may be missing now", name, status), "consumers that read it may find nothing")
		}
		c.schema(side{place: status + "/headers/" + name, words: fmt.Sprintf("the header %s of the answer %s", name, status)}, was["schema"], is["schema"])
	}
}

// codes compares which failures there are, and with which status.
func (c *comparison) codes(was, is node) {
	old, now := codesOf(c.before, was), codesOf(c.after, is)
	for _, code := range sorted(old) {
		status, has := now[code]
		switch {
		case !has:
			c.tells("failure-removed", code, "it does not fail with "+code+" any more", "nothing is to be done about it")
		case status != old[code]:
			c.breaks("failure-status", code, fmt.Sprintf("its failure %s has the status %s, no longer %s", code, status, old[code]), "consumers that tell failures by their status take it for another")
		}
	}
	for _, code := range sorted(now) {
		if _, had := old[code]; !had {
			c.tells("failure-added", code, fmt.Sprintf("it may fail with %s (%s)", code, now[code]), "consumers that do not know the code see its status")
		}
	}
}

// codesOf finds the codes of problems in failures, and the status of each.
func codesOf(o *operation, responses node) map[string]string {
	out := map[string]string{}
	for _, status := range sorted(responses) {
		if strings.HasPrefix(status, "2") || strings.HasPrefix(status, "3") {
			continue
		}
		answer, _ := o.follow(responses[status])
		for _, content := range contents(answer) {
			schema, _ := content["schema"].(node)
			all, _ := schema["allOf"].([]any)
			for _, part := range all {
				n, _ := part.(node)
				properties, _ := n["properties"].(node)
				code, _ := properties["code"].(node)
				for _, name := range list(code["enum"]) {
					out[name] = status
				}
			}
		}
	}
	return out
}
