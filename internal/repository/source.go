package repository

import (
	"slices"

	"github.com/karbor/karbor/internal/repository/keyring"
)

// Sources gives the keys that domains are opened with, the recovery key last.
func (d *Domains) Sources() []*keyring.Source {
	all := slices.Clone(d.options.Keys)
	if d.options.Recovery != nil {
		all = append(all, d.options.Recovery)
	}
	return all
}
