package serve

import (
	"context"
	"log/slog"
	"time"

	"github.com/ashlar-go/ashlar/logs"
)

// accessKeys are what an access line says, in this order.
var accessKeys = [...]string{
	"op", "method", "path", "status", "bytes", "duration_ms", "trace_id", "request_id", "principal", "client_ip", "code",
}

// line writes the access line. It goes to the slog.Handler itself: the logger
// in between would look up a caller that is always this function. A handler of
// package logs is given a form to fill, for a third of what a record costs.
func (o *observer) line(at time.Time, e *Exchange) {
	level := levelOf(e.Status)
	if !o.log.Enabled(context.Background(), level) {
		return
	}
	took := e.Duration.Truncate(time.Microsecond)
	if o.form == nil {
		record := slog.NewRecord(at, level, accessMessage, 0)
		k := &accessKeys
		record.AddAttrs(
			slog.String(k[0], e.Operation),
			slog.String(k[1], e.Method),
			slog.String(k[2], e.Path),
			slog.Int(k[3], e.Status),
			slog.Int64(k[4], e.Bytes),
			slog.Float64(k[5], float64(took.Microseconds())/1000),
			slog.String(k[6], e.TraceID),
			slog.String(k[7], e.RequestID),
			slog.String(k[8], e.Principal),
			slog.String(k[9], e.ClientIP),
			slog.String(k[10], e.Code),
		)
		o.handle(record)
		return
	}
	line := o.form.Fill(at, level)
	line.Text(e.Operation)
	line.Text(e.Method)
	line.Text(e.Path)
	line.Int(int64(e.Status))
	line.Int(e.Bytes)
	line.Millis(took)
	line.Text(e.TraceID)
	line.Text(e.RequestID)
	line.Text(e.Principal)
	line.Text(e.ClientIP)
	line.Text(e.Code)
	_ = line.Write() // as in handle
}

const accessMessage = "request"

// accessForm returns the form of access lines, or nil where the handler has
// none.
func accessForm(h slog.Handler) *logs.Form {
	if h, ok := h.(*logs.Handler); ok {
		return h.Form(accessMessage, accessKeys[:]...)
	}
	return nil
}
