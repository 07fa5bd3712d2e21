package client

import (
	"context"
	"net/http"
)

// Unlimited is the limit that stands for any number.
const Unlimited = -1

// Quota are the limits of a project; Unlimited is any number.
type Quota struct {
	// ID is the project's.
	ID          string `json:"id"`
	Plans       int64  `json:"plans"`
	Checkpoints int64  `json:"checkpoints"`
	// Gigabytes is the logical size of all checkpoints in GiB, each rounded up.
	// Microversion 1.2.
	Gigabytes int64 `json:"gigabytes"`
}

// QuotaDetail are the limits of a project, and what it has.
type QuotaDetail struct {
	// ID is the project's.
	ID          string     `json:"id"`
	Plans       QuotaUsage `json:"plans"`
	Checkpoints QuotaUsage `json:"checkpoints"`
	// Gigabytes is as in Quota. Microversion 1.2.
	Gigabytes QuotaUsage `json:"gigabytes"`
}

// QuotaUsage is a limit, and what there is.
type QuotaUsage struct {
	Limit int64 `json:"limit"`
	InUse int64 `json:"in_use"`
	// Reserved is set aside for what is being made.
	Reserved int64 `json:"reserved"`
}

// QuotaChange is a change of limits; what is nil stays.
type QuotaChange struct {
	Plans       *int64 `json:"plans,omitempty"`
	Checkpoints *int64 `json:"checkpoints,omitempty"`
	Gigabytes   *int64 `json:"gigabytes,omitempty"`
}

// Quotas are the quotas of the API, by project. Only administrators reach those of
// other projects, and change any.
type Quotas struct{ c *Client }

func (p *Quotas) path(project, suffix string) string { return "/quotas/" + escape(project) + suffix }

// Show gets the limits of a project.
func (p *Quotas) Show(ctx context.Context, project string) (Quota, error) {
	return show[Quota](ctx, p.c, call{path: p.path(project, ""),
		what: "getting the quotas of the project " + project}, "quota")
}

// Defaults gets the limits of a project that none are set for.
func (p *Quotas) Defaults(ctx context.Context, project string) (Quota, error) {
	return show[Quota](ctx, p.c, call{path: p.path(project, "/defaults"),
		what: "getting the default quotas"}, "quota")
}

// Detail gets the limits of a project, and what it has.
func (p *Quotas) Detail(ctx context.Context, project string) (QuotaDetail, error) {
	return show[QuotaDetail](ctx, p.c, call{path: p.path(project, "/detail"),
		what: "getting the quotas of the project " + project}, "quota")
}

// Update changes limits of a project, and gives all of them.
func (p *Quotas) Update(ctx context.Context, project string, change QuotaChange) (Quota, error) {
	return one[Quota](ctx, p.c, call{method: http.MethodPut, path: p.path(project, ""),
		body: map[string]any{"quota": change}, what: "updating the quotas of the project " + project}, "quota")
}

// Delete brings the limits of a project back to the defaults.
func (p *Quotas) Delete(ctx context.Context, project string) error {
	return p.c.do(ctx, call{method: http.MethodDelete, path: p.path(project, ""),
		what: "deleting the quotas of the project " + project}, nil)
}

// QuotaClass are the limits of a quota class. Those of the class "default" hold for
// every project that has none of its own.
type QuotaClass struct {
	// ID is the class's name.
	ID          string `json:"id"`
	Plans       int64  `json:"plans"`
	Checkpoints int64  `json:"checkpoints"`
	// Gigabytes is as in Quota. Microversion 1.2.
	Gigabytes int64 `json:"gigabytes"`
}

// QuotaClasses are the quota classes of the API, by name.
type QuotaClasses struct{ c *Client }

// Show gets a quota class.
func (p *QuotaClasses) Show(ctx context.Context, name string) (QuotaClass, error) {
	return show[QuotaClass](ctx, p.c, call{path: "/quota_classes/" + escape(name),
		what: "getting the quota class " + name}, "quota_class")
}

// Update changes limits of a quota class, and gives all of them.
func (p *QuotaClasses) Update(ctx context.Context, name string, change QuotaChange) (QuotaClass, error) {
	return one[QuotaClass](ctx, p.c, call{method: http.MethodPut, path: "/quota_classes/" + escape(name),
		body: map[string]any{"quota_class": change}, what: "updating the quota class " + name}, "quota_class")
}
