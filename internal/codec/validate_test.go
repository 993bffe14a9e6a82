package codec_test

import (
	"errors"
	"testing"

	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/rule"
)

type period struct {
	From int `json:"from"`
	To   int `json:"to"`
}

func (p period) Validate() error {
	if p.To < p.From {
		return fault.At("/to", "before_from", "must not be before from")
	}
	return nil
}

type plan struct {
	One   period                `json:"one"`
	Maybe *period               `json:"maybe"`
	Patch rule.Optional[period] `json:"patch"`
	Many  []period              `json:"many,omitzero"`
	Named map[string]period     `json:"named,omitzero"`
	Refs  []*period             `json:"refs,omitzero"`
	Inner *plan                 `json:"inner"`
	Fails string                `json:"fails,omitzero"`
}

const errClosed fault.Conflict = "closed"

func (p *plan) Validate() error {
	switch p.Fails {
	case "plain":
		return errors.New("must be agreed first")
	case "fault":
		return errClosed.Because("must be open").Wrap(errors.New("row 7"))
	}
	return nil
}

func TestValidateRunsFromTheInside(t *testing.T) {
	t.Parallel()
	d := decoderOf[plan](t)

	for body, want := range map[string]string{
		`{"one":{"from":1,"to":2}}`: ``,
		`{"one":{"from":1,"to":2},"maybe":null,"patch":null,"many":[],"named":{},"inner":null}`:  ``,
		`{"one":{"from":2,"to":1},"fails":"plain"}`:                                              `invalid: /one/to before_from`,
		`{"one":{"from":2,"to":1},"fails":1}`:                                                    `invalid: /fails type`,
		`{"one":{"from":1,"to":1},"maybe":{"from":2,"to":1},"patch":{"from":2,"to":1}}`:          `invalid: /maybe/to before_from; /patch/to before_from`,
		`{"one":{"from":1,"to":1},"many":[{"from":1,"to":1},{"from":2,"to":1}]}`:                 `invalid: /many/1/to before_from`,
		`{"one":{"from":1,"to":1},"named":{"b":{"from":2,"to":1},"a/":{"from":2,"to":1}}}`:       `invalid: /named/a~1/to before_from; /named/b/to before_from`,
		`{"one":{"from":1,"to":1},"inner":{"one":{"from":1,"to":1},"fails":"plain"}}`:            `invalid: /inner invalid`,
		`{"one":{"from":1,"to":1},"inner":{"one":{"from":1,"to":0}},"many":[{"from":1,"to":0}]}`: `invalid: /many/0/to before_from; /inner/one/to before_from`,
		`{"one":{"from":1,"to":1},"refs":[null,{"from":2,"to":1}]}`:                              `invalid: /refs/1/to before_from`,
		`{"one":{"from":1,"to":1},"fails":"fault"}`:                                              `invalid:  closed`,
	} {
		var got plan
		err := d.Decode([]byte(body), &got)
		if (err == nil) != (want == "") || err != nil && err.Error() != want {
			t.Errorf("%s\n got %v\nwant %s", body, err, want)
		}
	}
}

func TestValidateErrorsKeepTheirCauseToThemselves(t *testing.T) {
	t.Parallel()
	d := decoderOf[plan](t)

	for fails, want := range map[string]fault.Violation{
		"plain": {Code: "invalid", Detail: "must be agreed first"},
		"fault": {Code: "closed", Detail: "must be open"},
	} {
		var got plan
		err := d.Decode([]byte(`{"one":{"from":1,"to":2},"fails":"`+fails+`"}`), &got)
		var bad fault.Violations
		if !errors.As(err, &bad) || len(bad) != 1 || bad[0] != want {
			t.Errorf("%s: got %#v, want %#v", fails, err, want)
		}
	}
}
