package access_test

import (
	"testing"

	"github.com/ashlar-go/ashlar/access"
)

func TestOriginTravelsInTheContext(t *testing.T) {
	t.Parallel()

	if got := access.OriginOf(t.Context()); got != (access.Origin{}) {
		t.Errorf("no request is behind this context, yet it comes from %+v", got)
	}
	want := access.Origin{Address: "192.0.2.7", Agent: "curl/8"}
	if got := access.OriginOf(access.WithOrigin(t.Context(), want)); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}
