package oidc

import (
	"strings"

	"github.com/ashlar-go/ashlar/serve"
)

const maxTarget = 1 << 10

// localTarget reports whether a browser that is sent to target stays on this
// site (P6.24) and the target fits the flow's cookie. The fragment must be
// free: it is where the code goes.
func localTarget(target string) bool {
	return len(target) <= maxTarget && !strings.Contains(target, "#") && serve.SafeTarget(target)
}
