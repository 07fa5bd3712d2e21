package outcome

import (
	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/store"
)

// Figures gives those of a checkpoint, from the records of the operation that has made it.
// Where all projects' data is kept together (shared), what was new is told to nobody: it would tell
// a tenant whether others have the same bytes.
func Figures(g *karbor.Graph, rows []store.ResourceRecord, shared bool) map[string]karbor.Figures {
	out := map[string]karbor.Figures{}
	for _, r := range rows {
		n := g.Node(r.Key)
		if n == nil || r.Total == 0 {
			continue
		}
		f := karbor.Figures{Size: r.Total}
		if !shared {
			f.New, f.Stored = &r.New, &r.Stored
		}
		out[Key(n)] = f
	}
	return out
}
