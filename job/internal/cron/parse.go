package cron

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// kind is what one of the fields holds.
type kind struct {
	name     string
	min, max int
	names    []string // of the values from min
}

var kinds = [...]kind{
	{name: "minute", min: 0, max: 59},
	{name: "hour", min: 0, max: 23},
	{name: "day of the month", min: 1, max: 31},
	{name: "month", min: 1, max: 12, names: []string{"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"}},
	{name: "day of the week", min: 0, max: 7, names: []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}},
}

// mistake says what is wrong with an expression.
func mistake(expression, format string, args ...any) error {
	return fmt.Errorf("cron expression %q: %w", expression, fmt.Errorf(format, args...))
}

// parse reads a list of ranges.
func (k kind) parse(text string) (field, error) {
	f := field{every: strings.HasPrefix(text, "*")}
	for item := range strings.SplitSeq(text, ",") {
		from, to, step, err := k.item(item)
		if err != nil {
			return field{}, fmt.Errorf("%s %q: %w", k.name, item, err)
		}
		for n := from; n <= to; n += step {
			f.set |= 1 << n
		}
	}
	return f, nil
}

// item reads *, a value or a range, and the step behind it.
func (k kind) item(text string) (from, to, step int, err error) {
	values, steps, stepped := strings.Cut(text, "/")
	first, last, ranged := strings.Cut(values, "-")
	switch {
	case values == "*":
		from, to = k.min, k.max
		if k.names != nil && k.min == 0 {
			to = k.max - 1 // Sunday once
		}
	case ranged:
		if from, err = k.value(first); err != nil {
			return 0, 0, 0, err
		}
		if to, err = k.value(last); err != nil {
			return 0, 0, 0, err
		}
		if from > to {
			return 0, 0, 0, fmt.Errorf("the range runs backwards: write it as two, %s-%d,%d-%s", first, k.max, k.min, last)
		}
	default:
		if from, err = k.value(values); err != nil {
			return 0, 0, 0, err
		}
		if to = from; stepped {
			return 0, 0, 0, fmt.Errorf("a step needs a range: write %s-%d/%s", first, k.max, steps)
		}
	}
	if step = 1; !stepped {
		return from, to, step, nil
	}
	if step, err = number(steps); err != nil || step < 1 || step > k.max {
		return 0, 0, 0, fmt.Errorf("the step must be a number from 1 to %d", k.max)
	}
	return from, to, step, nil
}

// value reads a number or a name.
func (k kind) value(text string) (int, error) {
	for i, name := range k.names {
		if strings.EqualFold(text, name) {
			return k.min + i, nil
		}
	}
	n, err := number(text)
	if err == nil && n >= k.min && n <= k.max {
		return n, nil
	}
	if k.names != nil {
		return 0, fmt.Errorf("must be a number from %d to %d or a name from %s to %s", k.min, k.max, k.names[0], k.names[len(k.names)-1])
	}
	return 0, fmt.Errorf("must be a number from %d to %d", k.min, k.max)
}

// number reads one or two digits and nothing else.
func number(text string) (int, error) {
	if len(text) < 1 || len(text) > 2 || strings.Trim(text, "0123456789") != "" {
		return 0, errors.New("is no number")
	}
	return strconv.Atoi(text)
}
