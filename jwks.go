package ashlar

import (
	"context"
	"time"

	"github.com/ashlar-go/ashlar/auth"
	"github.com/ashlar-go/ashlar/op"
)

// keyOperations publishes the public halves of the signing keys.
func (a *App) keyOperations() []op.Operation {
	return []op.Operation{
		op.Query("auth.keys", "GET /.well-known/jwks.json", a.publicKeys, op.Public(), op.Cache(5*time.Minute)),
	}
}

func (a *App) publicKeys(context.Context, struct{}) (auth.JWKS, error) {
	return a.signing.JWKS(time.Now()), nil
}

// keyDocs explains them.
func keyDocs() op.Docs {
	return op.Docs{
		"github.com/ashlar-go/ashlar.App.publicKeys": "PublicKeys returns the keys that access tokens are verified with (RFC 7517), for services that verify them themselves.",
		authPackage + "JWKS.Keys":                    "The key that signs, the one that will, and those whose tokens are still good.",
		authPackage + "JWK.ID":                       "The kid of the tokens that the key signs.",
	}
}
