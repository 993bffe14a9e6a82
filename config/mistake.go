package config

import (
	"fmt"
	"strings"
)

// Mistake is one thing to put right before the process can start.
type Mistake struct {
	Name    string // the variable; empty when Validate spoke, which names it itself
	Problem string // what is wrong and what is expected; never the value of a secret
}

// Error returns the mistake as one line.
func (m Mistake) Error() string {
	return strings.TrimSpace(m.Name + " " + m.Problem)
}

// Mistakes is every mistake of a configuration: the error of [Load].
type Mistakes []Mistake

// Error returns a heading and one indented line for each mistake.
func (m Mistakes) Error() string {
	var text strings.Builder
	noun := "mistakes"
	if len(m) == 1 {
		noun = "mistake"
	}
	fmt.Fprintf(&text, "%d %s in the configuration:", len(m), noun)
	for _, mistake := range m {
		text.WriteString("\n  " + mistake.Error())
	}
	return text.String()
}
