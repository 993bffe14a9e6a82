// Package image makes an OCI image of a Go program without a container engine:
// the program, root certificates, time zones, a user that is nobody, and
// nothing else. The same sources give the same digest.
package image
