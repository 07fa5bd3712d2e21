package survey

import (
	"context"
	"strings"

	"github.com/karbor/karbor/bank"
)

// The areas that the objects of a bank are counted by.
const (
	AreaStates     = "states"
	AreaDocuments  = "documents"
	AreaData       = "data"
	AreaIndices    = "indices"
	AreaLeases     = "leases"
	AreaRepository = "repositories"
	AreaUnknown    = "unknown"
)

// areas gives all of them, in the order in which they are shown.
func areas() []string {
	return []string{AreaStates, AreaDocuments, AreaData, AreaIndices, AreaLeases, AreaRepository, AreaUnknown}
}

// Count is a number of objects, and their bytes.
type Count struct {
	Objects int64 `json:"objects"`
	Bytes   int64 `json:"bytes"`
}

func (c *Count) add(i bank.Info) {
	c.Objects++
	c.Bytes += i.Size
}

// Area is what lies in one area of a bank.
type Area struct {
	Name string `json:"name"`
	Count
}

// areaOf tells the area of a key by its form only.
func areaOf(key string) string {
	rest, ours := strings.CutPrefix(key, "v1/")
	if !ours {
		return AreaUnknown
	}
	first, rest, _ := strings.Cut(rest, "/")
	switch parts := strings.Split(rest, "/"); first {
	case "states":
		return AreaStates
	case "indices":
		return AreaIndices
	case "leases":
		return AreaLeases
	case "repositories":
		return AreaRepository
	case "checkpoints":
		// <project>/<checkpoint>/nodes/<word>/<id>/data/…
		if len(parts) > 6 && parts[2] == "nodes" && parts[5] == "data" {
			return AreaData
		}
		if len(parts) > 2 {
			return AreaDocuments
		}
	}
	return AreaUnknown
}

// each calls fn with each object under prefix, in the order of the keys.
func each(ctx context.Context, b bank.Bank, prefix string, fn func(bank.Info) error) error {
	for marker := ""; ; {
		infos, err := b.List(ctx, prefix, marker, bank.MaxList)
		if err != nil {
			return err
		}
		for _, i := range infos {
			if err := fn(i); err != nil {
				return err
			}
			marker = i.Key
		}
		if len(infos) < bank.MaxList {
			return nil
		}
	}
}
