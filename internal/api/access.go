package api

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/karbor/karbor"
)

const requestIDHeader = "X-Openstack-Request-Id"

type (
	requestIDKey struct{}
	identityKey  struct{}
	lineKey      struct{}
)

// RequestID gives the id of the request that ctx belongs to, or "".
func RequestID(ctx context.Context) string {
	id, _ := ctx.Value(requestIDKey{}).(string)
	return id
}

func identityOf(ctx context.Context) *karbor.Identity {
	id, _ := ctx.Value(identityKey{}).(*karbor.Identity)
	return id
}

// accessLine is what the log says of one request. The query is left out: it may
// hold what is nobody else's business.
type accessLine struct {
	id       string
	global   string
	origin   origin
	identity *karbor.Identity
}

// originOf gives where the request came from that ctx belongs to.
func originOf(ctx context.Context) origin {
	if line, ok := ctx.Value(lineKey{}).(*accessLine); ok {
		return line.origin
	}
	return origin{}
}

func (l *accessLine) write(log *slog.Logger, r *http.Request, w *recorder, took time.Duration) {
	attrs := []slog.Attr{
		slog.String("request_id", l.id),
		slog.String("method", cutText(r.Method, 16)),
		slog.String("path", cutText(r.URL.Path, 512)),
		slog.Int("status", w.status),
		slog.Int64("bytes", w.bytes),
		slog.Duration("duration", took),
	}
	if l.origin.client.IsValid() {
		attrs = append(attrs, slog.String("client", l.origin.client.String()))
	}
	if l.global != "" {
		attrs = append(attrs, slog.String("global_request_id", l.global))
	}
	if l.identity != nil {
		attrs = append(attrs, slog.String("project_id", l.identity.ProjectID), slog.String("user_id", l.identity.UserID))
	}
	log.LogAttrs(r.Context(), slog.LevelInfo, "request", attrs...)
}

// isGlobalID reports whether a caller's own request id has the form that
// OpenStack services give each other: req- and a UUID.
func isGlobalID(s string) bool {
	uuid, ok := strings.CutPrefix(s, "req-")
	return ok && karbor.IsUUID(uuid)
}

func cutText(s string, limit int) string {
	return s[:min(len(s), limit)]
}

// recorder remembers what was answered.
type recorder struct {
	http.ResponseWriter
	status int
	bytes  int64
}

// WriteHeader implements http.ResponseWriter.
func (w *recorder) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (w *recorder) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	n, err := w.ResponseWriter.Write(p)
	w.bytes += int64(n)
	return n, err
}

// Unwrap serves http.ResponseController.
func (w *recorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }
