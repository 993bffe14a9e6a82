package auth

import (
	_ "embed"
	"strings"
)

// commonList are the passwords of eight and more characters that lead every
// published collection; guessing starts with them. One a line, lower case.
//
//go:embed common.txt
var commonList string

// common reports whether password is on the list whatever the case, one
// character over and over, or a run along the alphabet or the digits.
func common(password string) bool {
	low := strings.ToLower(password)
	return strings.Contains("\n"+commonList, "\n"+low+"\n") || run(low, 0) || run(low, 1) || run(low, -1)
}

// run reports whether each byte of s is the one before plus step; 0 follows 9.
func run(s string, step int) bool {
	for i := 1; i < len(s); i++ {
		wrapped := step == 1 && s[i-1] == '9' && s[i] == '0' || step == -1 && s[i-1] == '0' && s[i] == '9'
		if int(s[i]) != int(s[i-1])+step && !wrapped {
			return false
		}
	}
	return true
}
