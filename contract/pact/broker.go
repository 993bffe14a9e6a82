package pact

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// A Broker is a source of pacts that serves the API of a Pact Broker.
type Broker struct {
	// URL is where it is, as in https://broker.example.com.
	URL string

	// Token is sent as a bearer's; or User and Password are sent instead. They
	// are sent to URL's own scheme and host only, wherever its links lead.
	Token, User, Password string

	// Selectors say whose versions are verified. None means the latest of each
	// consumer's main branch, and those deployed or released.
	Selectors []Selector

	// Version is the provider's, and Branch where it was built. With a version
	// and Results, results are sent to the broker.
	Version, Branch string
	Results         bool
	BuildURL        string // where people see the build; may be empty

	// Pending asks the broker which pacts the provider's Branch has never
	// verified: their failures are told of and fail nothing.
	Pending bool

	// Client sends the requests. Nil means one that waits 30s for an answer.
	Client *http.Client
}

// A Selector chooses versions of consumers.
type Selector struct {
	MainBranch         bool   `json:"mainBranch,omitempty"`
	Branch             string `json:"branch,omitempty"`
	MatchingBranch     bool   `json:"matchingBranch,omitempty"`
	DeployedOrReleased bool   `json:"deployedOrReleased,omitempty"`
	Environment        string `json:"environment,omitempty"`
	Tag                string `json:"tag,omitempty"`
	Latest             bool   `json:"latest,omitempty"`
	Consumer           string `json:"consumer,omitempty"`
}

// links are those of a HAL document.
type links map[string]link

type link struct {
	Href string `json:"href"`
	Name string `json:"name"`
}

// find returns the address behind a relation, with its holes filled.
func (l links) find(relation string, fill ...string) (string, error) {
	at, ok := l[relation]
	if !ok || at.Href == "" {
		return "", fmt.Errorf("the broker has no link %s", relation)
	}
	address := at.Href
	for i := 0; i+1 < len(fill); i += 2 {
		address = strings.ReplaceAll(address, "{"+fill[i]+"}", url.PathEscape(fill[i+1]))
	}
	return address, nil
}

// Pacts asks the broker for those that are to be verified.
func (b Broker) Pacts(ctx context.Context, provider string) ([]*Pact, error) {
	if b.Results && b.Version == "" {
		return nil, errors.New("a broker takes results of a Version, which is not given")
	}
	var index struct {
		Links links `json:"_links"`
	}
	if err := b.call(ctx, http.MethodGet, b.URL, nil, &index); err != nil {
		return nil, err
	}
	address, err := index.Links.find("pb:provider-pacts-for-verification", "provider", provider)
	if err != nil {
		return nil, err
	}
	selectors := b.Selectors
	if len(selectors) == 0 {
		selectors = []Selector{{MainBranch: true}, {DeployedOrReleased: true}}
	}
	var listed struct {
		Embedded struct {
			Pacts []struct {
				Links        links `json:"_links"`
				Verification struct {
					Pending bool `json:"pending"`
				} `json:"verificationProperties"`
			} `json:"pacts"`
		} `json:"_embedded"`
	}
	asked := map[string]any{"consumerVersionSelectors": selectors, "includePendingStatus": b.Pending}
	if b.Branch != "" {
		asked["providerVersionBranch"] = b.Branch
	}
	if err := b.call(ctx, http.MethodPost, address, asked, &listed); err != nil {
		return nil, err
	}
	var pacts []*Pact
	for _, one := range listed.Embedded.Pacts {
		p, err := b.pact(ctx, one.Links)
		if err != nil {
			return nil, err
		}
		p.pending = one.Verification.Pending
		pacts = append(pacts, p)
	}
	if len(pacts) == 0 {
		return nil, fmt.Errorf("the broker has no pact with %q that the selectors choose", provider)
	}
	return pacts, nil
}

// pact gets one.
func (b Broker) pact(ctx context.Context, to links) (*Pact, error) {
	address, err := to.find("self")
	if err != nil {
		return nil, err
	}
	var text json.RawMessage
	if err := b.call(ctx, http.MethodGet, address, nil, &text); err != nil {
		return nil, err
	}
	p, err := Parse(text)
	if err != nil {
		return nil, err
	}
	var known struct {
		Links links `json:"_links"`
	}
	if err := json.Unmarshal(text, &known); err != nil {
		return nil, err
	}
	if b.Results {
		if p.publish, err = known.Links.find("pb:publish-verification-results"); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// Publish sends the results of one pact, where the broker takes them. A
// provider's branch is told first, so that they are known to be of it.
func (b Broker) Publish(ctx context.Context, p *Pact, results []Result) error {
	if !b.Results {
		return nil
	}
	if b.Branch != "" {
		var index struct {
			Links links `json:"_links"`
		}
		if err := b.call(ctx, http.MethodGet, b.URL, nil, &index); err != nil {
			return err
		}
		address, err := index.Links.find("pb:pacticipant-branch-version", "pacticipant", p.Provider, "branch", b.Branch, "version", b.Version)
		if err != nil {
			return err
		}
		if err := b.call(ctx, http.MethodPut, address, map[string]any{}, nil); err != nil {
			return err
		}
	}
	type tried struct {
		ID          string           `json:"interactionId,omitempty"`
		Description string           `json:"interactionDescription"`
		Success     bool             `json:"success"`
		Mismatches  []map[string]any `json:"mismatches,omitempty"`
		Exceptions  []map[string]any `json:"exceptions,omitempty"`
	}
	passed := true
	var tests []tried
	for _, r := range results {
		passed = passed && r.Passed()
		one := tried{Description: r.Interaction.String(), Success: r.Passed(), ID: r.Interaction.id()}
		for _, m := range r.Mismatches {
			attribute, name, _ := strings.Cut(m.Part, " ")
			mismatch := map[string]any{"attribute": attribute, "description": m.String()}
			if identifier := first(m.Path, name); identifier != "" {
				mismatch["identifier"] = identifier
			}
			one.Mismatches = append(one.Mismatches, mismatch)
		}
		if r.Err != nil {
			one.Exceptions = []map[string]any{{"message": r.Err.Error()}}
		}
		tests = append(tests, one)
	}
	body := map[string]any{
		"success": passed, "providerApplicationVersion": b.Version, "testResults": tests,
		"verifiedBy": map[string]any{"implementation": "ashlar contract/pact"},
	}
	if b.BuildURL != "" {
		body["buildUrl"] = b.BuildURL
	}
	return b.call(ctx, http.MethodPost, p.publish, body, nil)
}

// id is the broker's own of an interaction, if it gave one.
func (i *Interaction) id() string {
	var id string
	if json.Unmarshal(i.parts["_id"], &id) != nil {
		return ""
	}
	return id
}

// call asks the broker. Links may lead elsewhere; credentials do not.
func (b Broker) call(ctx context.Context, method, address string, body, into any) error {
	base, err := url.Parse(b.URL)
	if err != nil || base.Host == "" || base.Scheme != "http" && base.Scheme != "https" {
		return errors.New("the broker's URL is no address of the web")
	}
	at, err := base.Parse(address)
	if err != nil {
		return errors.New("the broker links to what is no address")
	}
	var content io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return err
		}
		content = bytes.NewReader(text)
	}
	request, err := http.NewRequestWithContext(ctx, method, at.String(), content)
	if err != nil {
		return err
	}
	request.Header.Set("Accept", "application/hal+json, application/json")
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	if at.Scheme == base.Scheme && at.Host == base.Host {
		switch {
		case b.Token != "":
			request.Header.Set("Authorization", "Bearer "+b.Token)
		case b.User != "":
			request.SetBasicAuth(b.User, b.Password)
		}
	}
	client := b.Client
	if client == nil {
		client = &http.Client{Timeout: 30 * time.Second}
	}
	answer, err := client.Do(request)
	if err != nil {
		return fmt.Errorf("the broker did not answer: %w", err)
	}
	defer func() { _ = answer.Body.Close() }() // it was read
	text, err := io.ReadAll(io.LimitReader(answer.Body, mostBytes))
	if err != nil {
		return fmt.Errorf("the broker's answer ended: %w", err)
	}
	if answer.StatusCode/100 != 2 {
		return fmt.Errorf("the broker answered %d to %s %s", answer.StatusCode, method, at.Redacted())
	}
	if into == nil {
		return nil
	}
	if err := json.Unmarshal(text, into); err != nil {
		return fmt.Errorf("the broker's answer to %s %s: %w", method, at.Redacted(), err)
	}
	return nil
}
