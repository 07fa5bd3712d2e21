package client

import (
	"context"
	"iter"
	"net/http"
	"strconv"
)

// Service is one of Karbor's own services on a host.
type Service struct {
	ID     int64  `json:"id"`
	Binary string `json:"binary"`
	Host   string `json:"host"`
	// Status is enabled or disabled.
	Status string `json:"status"`
	// State is up or down, by the service's last report, UpdatedAt.
	State          string    `json:"state"`
	UpdatedAt      Timestamp `json:"updated_at"`
	DisabledReason string    `json:"disabled_reason"`
	// Version is that of the program; empty if it is not known. Microversion 1.4.
	Version string `json:"version,omitempty"`
}

// Services are the services of the API. They are for administrators.
type Services struct{ c *Client }

// List iterates over the services. Filters: host, binary.
func (p *Services) List(ctx context.Context, o ListOptions) iter.Seq2[Service, error] {
	return list[Service](ctx, p.c, call{path: "/os-services", what: "listing the services"}, "services", o)
}

// Enable lets a karbor-operationengine take new scheduled work.
func (p *Services) Enable(ctx context.Context, id int64) (Service, error) {
	return p.update(ctx, id, "enabling", map[string]any{"status": "enabled"})
}

// Disable keeps a karbor-operationengine from taking new scheduled work. reason
// may be empty.
func (p *Services) Disable(ctx context.Context, id int64, reason string) (Service, error) {
	body := map[string]any{"status": "disabled"}
	if reason != "" {
		body["disabled_reason"] = reason
	}
	return p.update(ctx, id, "disabling", body)
}

func (p *Services) update(ctx context.Context, id int64, doing string, body map[string]any) (Service, error) {
	number := strconv.FormatInt(id, 10)
	return one[Service](ctx, p.c, call{method: http.MethodPut, path: "/os-services/" + number,
		body: body, what: doing + " the service " + number}, "service")
}
