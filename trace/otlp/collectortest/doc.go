// Package collectortest sends the traces of the payments example to an
// OpenTelemetry Collector that it runs itself, and looks at what came out.
package collectortest
