// Package deploytest holds the files of deploy/ to the tools that will read
// them, without a container engine, a cluster or a cloud: BuildKit's parser and
// linter, Compose's loader, Kustomize, the types of Kubernetes, actionlint. Its
// own rules carry the numbers of the practices they hold, and each is shown to
// bite by a file that breaks it.
package deploytest
