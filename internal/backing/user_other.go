//go:build !unix

package backing

import "os/exec"

func unprivileged(c *exec.Cmd, dir string) error {
	c.Dir = dir
	return nil
}
