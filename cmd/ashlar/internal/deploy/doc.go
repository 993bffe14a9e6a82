// Package deploy writes the files that bring an app into the world, and keeps
// those of them up to date that nobody has changed.
package deploy
