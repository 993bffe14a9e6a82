package contract

import "regexp"

// A parameter is one of an operation, by where it is and its name.
type parameter struct {
	node     node
	required bool
	text     string
}

func (o *operation) parameters() map[string]parameter {
	out := map[string]parameter{}
	own, _ := o.node["parameters"].([]any)
	for _, v := range append(append([]any{}, o.shared...), own...) {
		p, _ := o.follow(v)
		in, name := words(p["in"]), words(p["name"])
		if in == "path" {
			continue // they are in the path itself, and compared by their place
		}
		out[in+"/"+name] = parameter{p, p["required"] == true, "the " + in + " parameter " + name}
		if in == "header" {
			out[in+"/"+name] = parameter{p, p["required"] == true, "the header " + name}
		}
	}
	return out
}

// pathSchemas are the schemas of the parameters in a path, in its order.
func (o *operation) pathSchemas() []node {
	byName := map[string]node{}
	own, _ := o.node["parameters"].([]any)
	for _, v := range append(append([]any{}, o.shared...), own...) {
		if p, _ := o.follow(v); p["in"] == "path" {
			byName["{"+words(p["name"])+"}"] = p
		}
	}
	var out []node
	for _, name := range hole.FindAllString(o.path, -1) {
		out = append(out, byName[name])
	}
	return out
}

func (c *comparison) parameters() {
	was, is := c.before.parameters(), c.after.parameters()
	for _, key := range sorted(was) {
		old := was[key]
		now, has := is[key]
		if !has {
			effect := "requests that have it are refused, or it has no effect"
			if key == "header/Idempotency-Key" {
				effect = "a retry is not recognised any more, and has its effect a second time"
			}
			c.breaks("parameter-removed", key, old.text+" is not read any more", effect)
			continue
		}
		if now.required && !old.required {
			c.breaks("parameter-required", key, old.text+" is required now", "requests without it are refused")
		}
		c.schema(side{place: key, words: old.text, request: true}, old.node["schema"], now.node["schema"])
	}
	for _, key := range sorted(is) {
		if _, had := was[key]; had {
			continue
		}
		if now := is[key]; now.required {
			c.breaks("parameter-required", key, now.text+" is new, and required", "requests without it are refused")
		} else {
			c.tells("parameter-added", key, now.text+" is new", "it may be left away")
		}
	}
	old, now := c.before.pathSchemas(), c.after.pathSchemas()
	for i := range min(len(old), len(now)) {
		if old[i] != nil && now[i] != nil {
			name := words(old[i]["name"])
			c.schema(side{place: "path/" + name, words: "the path parameter " + name, request: true}, old[i]["schema"], now[i]["schema"])
		}
	}
}

// body compares what is sent.
func (c *comparison) body() {
	old, _ := c.before.follow(c.before.node["requestBody"])
	now, _ := c.after.follow(c.after.node["requestBody"])
	was, is := contents(old), contents(now)
	switch {
	case old == nil && now == nil:
		return
	case now == nil:
		c.breaks("body-removed", "request", "it takes no body any more", "what requests send is refused, or has no effect")
		return
	case old == nil:
		if now["required"] == true {
			c.breaks("body-required", "request", "it needs a body now", "requests without one are refused")
		} else {
			c.tells("body-added", "request", "it takes a body", "it may be left away")
		}
		return
	case now["required"] == true && old["required"] != true:
		c.breaks("body-required", "request", "its body is required now", "requests without one are refused")
	}
	for _, media := range sorted(was) {
		content, has := is[media]
		if !has {
			c.breaks("media-removed", "request/"+media, "it does not read "+media+" any more", "requests of that type get 415")
			continue
		}
		c.schema(side{place: "request", words: "the request", request: true}, was[media]["schema"], content["schema"])
	}
}

// contents are the media types of a body or an answer.
func contents(of node) map[string]node {
	out := map[string]node{}
	all, _ := of["content"].(node)
	for media, v := range all {
		out[media], _ = v.(node)
	}
	return out
}

// hole is a parameter in a path.
var hole = regexp.MustCompile(`\{[^}]*\}`)
