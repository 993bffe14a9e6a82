package oidc

// LocalTarget is localTarget, which start shows of only yes or no.
var LocalTarget = localTarget
