package repository

import (
	"context"

	"github.com/karbor/karbor/internal/repository/collection"
)

// Freeable gives how many bytes of a domain's packs only streams below some prefixes of keys
// refer to: what goes once these are deleted and their space was collected. Chunks go with
// the others that were compressed together with them, or stay with those. It reads all manifests of the domain, and
// each of their pages once, and changes nothing. The number tells who sees it whether others have the
// same data, if the domain is not of one project.
func (d *Domains) Freeable(ctx context.Context, domain string, prefixes []string, progress func(collection.Progress)) (int64, error) {
	if len(prefixes) == 0 {
		return 0, nil
	}
	r, err := d.Collect(ctx, domain, collection.Options{DryRun: true, Without: prefixes}, progress)
	return r.Freeable, err
}
