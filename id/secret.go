package id

import "crypto/rand"

// Secret returns an unguessable text of n random bytes from the operating
// system, 8 characters for every 5 bytes, rounded up. Fewer than 16 bytes (128
// bits) are never enough for a token, so a smaller n counts as 16.
func Secret(n int) string {
	n = max(n, 16)
	random := make([]byte, n)
	rand.Read(random)

	text := make([]byte, 0, (n*8+4)/5)
	var bits uint
	var held int
	for _, b := range random {
		bits = bits<<8 | uint(b)
		for held += 8; held >= 5; held -= 5 {
			text = append(text, alphabet[bits>>(held-5)&31])
		}
	}
	if held > 0 {
		text = append(text, alphabet[bits<<(5-held)&31])
	}
	return string(text)
}
