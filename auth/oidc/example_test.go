package oidc_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"

	"github.com/ashlar-go/ashlar/auth"
	"github.com/ashlar-go/ashlar/auth/oidc"
)

// A bare net/http server with one provider. In an app, App.Identities gives the
// service and App.Handle mounts it.
func Example() {
	provider := httptest.NewServer(http.HandlerFunc(metadata)) // elsewhere, a company's directory
	defer provider.Close()

	accounts := auth.NewMemory()
	identities, err := auth.NewIdentities(auth.IdentitiesConfig{
		Accounts: accounts, Identities: auth.NewMemoryIdentities(accounts), Sessions: sessions{},
		Key: make([]byte, 32), // the same secret bytes on every instance
		Admit: func(_ context.Context, who auth.Identity) (auth.Admission, error) {
			return auth.Admission{Role: "customer"}, nil
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	signIn, err := oidc.New(oidc.Config{
		Origin:     "https://pay.example.com",
		Identities: identities,
		Providers:  []oidc.Provider{{Name: "corp", Issuer: provider.URL, ClientID: "pay", Domains: []string{"corp.example"}}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	mux := http.NewServeMux()
	signIn.Mount(mux.Handle)

	w := httptest.NewRecorder()
	mux.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/v1/auth/oidc/corp?return_to=/welcome", nil))
	there, err := url.Parse(w.Header().Get("Location"))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(w.Code, there.Path, there.Query().Get("redirect_uri"))
	fmt.Println(there.Query().Get("response_type"), there.Query().Get("code_challenge_method"))
	// Output:
	// 303 /authorize https://pay.example.com/v1/auth/oidc/corp/callback
	// code S256
}

// metadata is what a provider says of itself.
func metadata(w http.ResponseWriter, r *http.Request) {
	issuer := "http://" + r.Host
	fmt.Fprintf(w, `{"issuer":%q,"authorization_endpoint":%q,"token_endpoint":%q,"jwks_uri":%q}`,
		issuer, issuer+"/authorize", issuer+"/token", issuer+"/keys")
}
