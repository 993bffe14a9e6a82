// Package deploy has the files that bring an app into the world: those that
// `ashlar deploy` writes. They are written for an app called shop, whose program
// is ./cmd/shop and whose image is registry.example.com/shop, and are tested as
// they stand in deploytest, a module of its own.
package deploy

import "embed"

// Files are all of them, in a folder for each target.
//
//go:embed docker compose kubernetes systemd railway render ecs apprunner lambda github
//go:embed observability/prometheus observability/grafana observability/loki
var Files embed.FS
