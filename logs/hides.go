package logs

// Hides returns whether the value under a key would be hidden by a logger with
// this [Options.Redact], for others that write values under keys: traces. It is
// safe for concurrent use.
func Hides(redact []string) func(key string) bool { return newRedactor(redact).hides }
