package auth_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/ashlar-go/ashlar/auth"
	"github.com/ashlar-go/ashlar/fault"
)

// A plain net/http program with a sign-in and one thing to see.
func Example() {
	keys, _ := auth.NewKeys(auth.GenerateKey()) // kept in a file: LoadOrCreateKeys
	tokens, err := auth.NewTokens(auth.TokenConfig{Keys: keys, Issuer: "shop", Audience: "shop"})
	if err != nil {
		fmt.Println(err)
		return
	}
	hashes, err := auth.NewPasswords(auth.PasswordConfig{})
	if err != nil {
		fmt.Println(err)
		return
	}
	accounts := auth.NewAccounts(auth.AccountsConfig{Store: auth.NewMemory(), Passwords: hashes, Tokens: tokens})

	mux := http.NewServeMux()
	mux.HandleFunc("GET /me", func(w http.ResponseWriter, r *http.Request) {
		token, _, err := auth.Bearer(r)
		if err == nil {
			var who auth.Claims
			if who, err = tokens.Verify(r.Context(), token); err == nil {
				_ = json.NewEncoder(w).Encode(map[string]string{"role": who.Role})
				return
			}
		}
		w.Header().Set("WWW-Authenticate", auth.Challenge(err))
		_ = fault.Write(w, fault.ProblemOf(err, ""))
	})

	ctx := context.Background()
	_, err = accounts.Create(ctx, auth.NewAccount{Email: "ann@example.test", Password: "square-and-true", Role: "owner"})
	fmt.Println("created:", err)
	_, err = accounts.SignIn(ctx, auth.Credentials{Email: "ann@example.test", Password: "a guess"})
	fmt.Println("a guess:", fault.ProblemOf(err, "").Code)
	grant, err := accounts.SignIn(ctx, auth.Credentials{Email: "ann@example.test", Password: "square-and-true"})
	fmt.Println("signed in:", grant.TokenType, grant.ExpiresIn, err)

	for _, token := range []string{grant.AccessToken, "forged"} {
		r := httptest.NewRequest(http.MethodGet, "/me", nil)
		r.Header.Set("Authorization", "Bearer "+token)
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, r)
		fmt.Printf("%d %q\n", w.Code, w.Header().Get("WWW-Authenticate"))
	}
	// Output:
	// created: <nil>
	// a guess: credentials_wrong
	// signed in: Bearer 900 <nil>
	// 200 ""
	// 401 "Bearer realm=\"api\", error=\"invalid_token\""
}

func ExampleParseKeys() {
	current, retired := auth.GenerateKey(), auth.GenerateKey()
	keys, err := auth.ParseKeys(current.Secret().Reveal() + "," + retired.Secret().Reveal())
	if err != nil {
		fmt.Println(err)
		return
	}
	published := keys.JWKS(time.Now()).Keys
	fmt.Println(len(published), published[0].ID == current.ID(), published[0].Algorithm)

	_, err = auth.ParseKeys("c2VjcmV0")
	fmt.Println(err)
	// Output:
	// 2 true EdDSA
	// auth: signing key 1 has 6 bytes; an Ed25519 key has 32
}
