package pact

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// A Pact is what one consumer expects of one provider.
type Pact struct {
	Consumer, Provider string
	Interactions       []Interaction

	version int
	publish string // where a broker wants the result
	pending bool   // a broker says that no failure of it may fail the provider yet
}

// An Interaction is one exchange that a pact describes: a request and its
// response, or a message.
type Interaction struct {
	Description string
	States      []State // that the provider must be in
	Pending     bool    // a failure is reported, and fails nothing

	request  request
	response response
	message  *message
	refused  error // why it cannot be verified
	parts    map[string]json.RawMessage
}

// A State is what the provider must hold before an interaction: "a payment
// that is captured", with the values that the consumer gave.
type State struct {
	Name   string         `json:"name"`
	Params map[string]any `json:"params,omitempty"`
}

type party struct {
	Name string `json:"name"`
}

// String is the interaction in a sentence.
func (i *Interaction) String() string {
	if len(i.States) == 0 {
		return i.Description
	}
	names := make([]string, len(i.States))
	for n, s := range i.States {
		names[n] = s.Name
	}
	return i.Description + ", given " + strings.Join(names, " and ")
}

// Parse reads a pact file of version 1 to 4 of the specification. What is in
// it that cannot be verified fails its interaction, not the file.
func Parse(text []byte) (*Pact, error) {
	var in struct {
		Consumer     party             `json:"consumer"`
		Provider     party             `json:"provider"`
		Interactions []json.RawMessage `json:"interactions"`
		Messages     []json.RawMessage `json:"messages"`
		Metadata     json.RawMessage   `json:"metadata"`
	}
	if err := json.Unmarshal(text, &in); err != nil {
		return nil, fmt.Errorf("a pact: %w", err)
	}
	p := &Pact{Consumer: in.Consumer.Name, Provider: in.Provider.Name}
	if p.Consumer == "" || p.Provider == "" {
		return nil, errors.New("a pact: it does not name its consumer and its provider")
	}
	var err error
	if p.version, err = versionOf(in.Metadata); err != nil {
		return nil, fmt.Errorf("the pact of %s with %s: %w", p.Consumer, p.Provider, err)
	}
	for _, raw := range in.Interactions {
		i, err := parseInteraction(raw, p.version, p.version < 4)
		if err != nil {
			return nil, fmt.Errorf("the pact of %s with %s: %w", p.Consumer, p.Provider, err)
		}
		p.Interactions = append(p.Interactions, i)
	}
	for _, raw := range in.Messages {
		i, err := parseInteraction(raw, p.version, false)
		if err != nil {
			return nil, fmt.Errorf("the pact of %s with %s: %w", p.Consumer, p.Provider, err)
		}
		i.asMessage(raw, p.version)
		p.Interactions = append(p.Interactions, i)
	}
	return p, nil
}

// versionOf finds the version of the specification, for which libraries have
// found several names. A file without one is of version 2, as the first that
// were written say nothing.
func versionOf(metadata json.RawMessage) (int, error) {
	var byName map[string]json.RawMessage
	if len(metadata) > 0 {
		if err := json.Unmarshal(metadata, &byName); err != nil {
			return 0, fmt.Errorf("metadata: %w", err)
		}
	}
	said := ""
	for _, name := range sorted(byName) {
		switch strings.ToLower(strings.ReplaceAll(name, "-", "")) {
		case "pactspecification":
			var in struct {
				Version string `json:"version"`
			}
			if json.Unmarshal(byName[name], &in) == nil {
				said = in.Version
			}
		case "pactspecificationversion":
			if err := json.Unmarshal(byName[name], &said); err != nil {
				return 0, fmt.Errorf("metadata: %s: %w", name, err)
			}
		}
	}
	major, _, _ := strings.Cut(said, ".")
	switch major {
	case "1", "2", "3", "4":
		if strings.HasPrefix(said, "1.1") {
			return 2, nil // as far as its queries go, and it has no rules
		}
		return int(major[0] - '0'), nil
	case "":
		return 2, nil
	}
	return 0, fmt.Errorf("version %q of the specification: %w", said, ErrUnsupported)
}

// parseInteraction reads one. Web says that it is a request without saying so.
func parseInteraction(raw json.RawMessage, version int, web bool) (Interaction, error) {
	var in struct {
		Type           string          `json:"type"`
		Description    string          `json:"description"`
		ProviderState  string          `json:"providerState"`
		Snake          string          `json:"provider_state"` //nolint:tagliatelle // of version 1
		ProviderStates json.RawMessage `json:"providerStates"`
		Pending        bool            `json:"pending"`
		Request        json.RawMessage `json:"request"`
		Response       json.RawMessage `json:"response"`
		Plugin         map[string]any  `json:"pluginConfiguration"`
		Transport      string          `json:"transport"`
	}
	if err := json.Unmarshal(raw, &in); err != nil {
		return Interaction{}, err
	}
	i := Interaction{Description: in.Description, Pending: in.Pending}
	if err := json.Unmarshal(raw, &i.parts); err != nil {
		return i, err
	}
	var text string
	switch err := json.Unmarshal(in.ProviderStates, &i.States); {
	case len(in.ProviderStates) == 0 || err == nil:
	case json.Unmarshal(in.ProviderStates, &text) == nil: // some libraries write one as a text
		i.States = []State{{Name: text}}
	default:
		return i, fmt.Errorf("%q: providerStates: %w", in.Description, err)
	}
	if state := first(in.ProviderState, in.Snake); state != "" {
		i.States = append(i.States, State{Name: state})
	}
	if len(in.Plugin) > 0 {
		i.refused = fmt.Errorf("a plugin: %w", ErrUnsupported)
		return i, nil
	}
	switch {
	case web || in.Type == "Synchronous/HTTP":
		var errs [2]error
		if len(in.Request) == 0 || len(in.Response) == 0 {
			return i, fmt.Errorf("%q: it lacks a request or a response", in.Description)
		}
		i.request, errs[0] = parseRequest(in.Request, version)
		i.response, errs[1] = parseResponse(in.Response, version)
		i.refused = errors.Join(errs[:]...)
	case in.Type == "Asynchronous/Messages":
		i.asMessage(raw, version)
	case version >= 4:
		i.refused = fmt.Errorf("an interaction of the type %q: %w", in.Type, ErrUnsupported)
	}
	return i, nil
}

func (i *Interaction) asMessage(raw json.RawMessage, version int) {
	m, err := parseMessage(raw, version)
	i.message, i.refused = &m, errors.Join(i.refused, err)
}
