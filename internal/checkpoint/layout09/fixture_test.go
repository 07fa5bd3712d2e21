package layout09_test

import (
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/karbor/karbor/internal/checkpoint/layout09"
)

// Ids of the checkpoint that the tests make.
const (
	project  = "fc087371f11d43b99035bc424d4e6efe"
	provider = "cf56bd3e-97a7-4078-b6d5-f36246333fd9"
	planID   = "3f3e1b64-5b1f-4b0c-8f4e-2a6d1c9b7e55"
	cpID     = "8b0f1d6e-52a4-4c8e-9c3b-6a1e7d2f4b90"
	volume1  = "1de3cb23-6f0c-4e09-9b12-8d5e3a7c6f42"
	volume2  = "2de3cb23-6f0c-4e09-9b12-8d5e3a7c6f42"
)

type object = map[string]any

// bankFolder is a bank as Python Karbor's file system plug-in writes it.
type bankFolder struct {
	t   testing.TB
	dir string
}

func newBank(t testing.TB) bankFolder { return bankFolder{t, t.TempDir()} }

// put writes an object: a text as it is, bytes as they are, anything else as JSON.
func (b bankFolder) put(key string, value any) {
	b.t.Helper()
	var text []byte
	switch v := value.(type) {
	case string:
		text = []byte(v)
	case []byte:
		text = v
	default:
		var err error
		if text, err = json.Marshal(v); err != nil {
			b.t.Fatal(err)
		}
	}
	path := filepath.Join(b.dir, key)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		b.t.Fatal(err)
	}
	if err := os.WriteFile(path, text, 0o644); err != nil {
		b.t.Fatal(err)
	}
}

func (b bankFolder) remove(key string) {
	b.t.Helper()
	if err := os.Remove(filepath.Join(b.dir, key)); err != nil {
		b.t.Fatal(err)
	}
}

func (b bankFolder) open() *layout09.Checkpoints {
	b.t.Helper()
	f, err := layout09.OpenFolder(b.dir)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() {
		if err := f.Close(); err != nil {
			b.t.Error(err)
		}
	})
	return layout09.New(f)
}

func resourceKey(id, name string) string {
	return "checkpoints/" + cpID + "/resource-data/" + id + "/" + name
}

// node is a node of a resource graph.
func node(kind, id, name string, extra any) []any { return []any{kind, id, name, extra} }

// checkpoint writes the index of the checkpoint, and its entries in the indices.
func (b bankFolder) checkpoint(status string, nodes map[string][]any, edges []any) {
	b.t.Helper()
	b.checkpointOf(project, status, nodes, edges)
}

func (b bankFolder) checkpointOf(project, status string, nodes map[string][]any, edges []any) {
	b.t.Helper()
	if edges == nil {
		edges = []any{}
	}
	graph, err := json.Marshal([]any{nodes, edges})
	if err != nil {
		b.t.Fatal(err)
	}
	var resources []object
	for _, n := range nodes {
		resources = append(resources, object{"type": n[0], "id": n[1], "name": n[2], "extra_info": n[3]})
	}
	b.put("checkpoints/"+cpID+"/index.json", object{
		"version": "0.9", "id": cpID, "status": status, "owner_id": "3262d4f4-f2f0-44fb-ab1e-4f5ec0b913c8",
		"provider_id": provider, "project_id": project,
		"protection_plan": object{"id": planID, "name": "old plan", "provider_id": provider, "resources": resources},
		"resource_graph":  string(graph), "extra_info": `{"created_by": "manual"}`, "created_at": "2026-11-21", "timestamp": 1795220538,
	})
	for _, key := range []string{
		"indices/by-provider/" + provider + "/" + project, "indices/by-date/2026-11-21/" + project,
		"indices/by-plan/" + planID + "/" + project + "/2026-11-21",
	} {
		b.put(key+"/1795220538@"+cpID, cpID)
	}
}

// data writes bulk data in pieces of some bytes, and gives their number and the MD5 of
// all. The last piece may be empty.
func (b bankFolder) data(id string, bytes []byte, piece int, encoded bool) (int, string) {
	b.t.Helper()
	n := 0
	for rest := bytes; ; rest = rest[piece:] {
		n++
		taken := rest[:min(piece, len(rest))]
		var value any = taken
		if encoded {
			value = pythonText(string(taken))
		}
		b.put(resourceKey(id, "data_"+strconv.Itoa(n)), value)
		if len(taken) < piece {
			break
		}
	}
	sum := md5.Sum(bytes)
	return n, hex.EncodeToString(sum[:])
}

// pythonText is a text in JSON as Python writes it: all but ASCII is escaped.
func pythonText(s string) []byte {
	out := []byte{'"'}
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			out = append(out, '\\', byte(r))
		case r < ' ' || r > '~' && r < 0x10000:
			out = fmt.Appendf(out, `\u%04x`, r)
		case r >= 0x10000:
			r -= 0x10000
			out = fmt.Appendf(out, `\u%04x\u%04x`, 0xd800+r>>10, 0xdc00+r&0x3ff)
		default:
			out = append(out, byte(r))
		}
	}
	return append(out, '"')
}

// volume writes what the plug-in for volumes by Glance kept.
func (b bankFolder) volume(id string, bytes []byte, piece int, encoded bool) {
	b.t.Helper()
	n, sum := b.data(id, bytes, piece, encoded)
	b.put(resourceKey(id, "status"), "available")
	b.put(resourceKey(id, "metadata"), object{
		"volume_id": id, "volume_size": 1, "chunks_num": n,
		"image_metadata": object{"disk_format": "raw", "container_format": "bare", "checksum": sum},
	})
}

// image writes what the plug-in for images kept.
func (b bankFolder) image(id string, bytes []byte, piece int) {
	b.t.Helper()
	n, sum := b.data(id, bytes, piece, false)
	b.put(resourceKey(id, "status"), "available")
	b.put(resourceKey(id, "metadata"), object{
		"resource_id": id, "chunks_num": n,
		"image_metadata": object{"disk_format": "qcow2", "container_format": "bare", "checksum": sum},
	})
}
