package survey

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank"
	"github.com/karbor/karbor/internal/checkpoint"
	"github.com/karbor/karbor/internal/repository/format"
)

// ChunksFormat names the form of streams that needs no key.
const ChunksFormat = "chunks/1"

// maxManifest bounds a manifest, of whichever form, in bytes.
const maxManifest = 128 << 20

// Stream is a stream of bytes that a checkpoint has, complete.
type Stream struct {
	Node karbor.NodeKey `json:"node"`
	Name string         `json:"name"`
	// Format is chunks/1 or repository/1; Domain and Repository say under whose key
	// a stream of the latter lies.
	Format     string `json:"format"`
	Domain     string `json:"domain,omitempty"`
	Repository string `json:"repository,omitempty"`
	Size       int64  `json:"size"`
	// New is how many of the bytes were new to the domain, Stored how many were added to
	// the bank for them; 0 where the manifest does not tell.
	New    int64 `json:"new,omitempty"`
	Stored int64 `json:"stored,omitempty"`
	// Damage says why the manifest can't be understood, or is "".
	Damage string `json:"damage,omitempty"`
}

// Streams gives the streams of a checkpoint, in the order of their keys. It lists all
// that lies under the checkpoint, and reads each manifest.
func Streams(ctx context.Context, c *checkpoint.Checkpoints, projectID, id string) ([]Stream, error) {
	nodes, err := c.Nodes(projectID, id)
	if err != nil {
		return nil, err
	}
	var out []Stream
	marker := ""
	for {
		infos, err := nodes.List(ctx, "", marker, bank.MaxList)
		if err != nil {
			return nil, fmt.Errorf("listing the streams of checkpoint %s: %w", id, err)
		}
		for _, i := range infos {
			marker = i.Key
			s, ok := parseManifestKey(i.Key)
			if !ok {
				continue
			}
			if err := s.read(ctx, nodes, i); err != nil {
				return nil, err
			}
			out = append(out, s)
		}
		if len(infos) < bank.MaxList {
			return out, nil
		}
	}
}

// parseManifestKey reads <word>/<id>/data/<name>/manifest.
func parseManifestKey(key string) (Stream, bool) {
	parts := strings.Split(key, "/")
	if len(parts) != 5 || parts[2] != "data" || parts[4] != "manifest" {
		return Stream{}, false
	}
	return Stream{Node: karbor.NodeKey(parts[0] + "/" + parts[1]), Name: parts[3]}, true
}

// read reads what the manifest tells without a key.
func (s *Stream) read(ctx context.Context, nodes *bank.Section, i bank.Info) error {
	if i.Size > maxManifest {
		s.Damage = fmt.Sprintf("its manifest has %d bytes", i.Size)
		return nil
	}
	var m struct {
		Format     string `json:"format"`
		Domain     string `json:"domain"`
		Repository string `json:"repository"`
		Size       int64  `json:"size"`
		New        int64  `json:"new"`
		Stored     int64  `json:"stored"`
	}
	err := nodes.GetJSON(ctx, i.Key, &m)
	if karbor.KindOf(err) == karbor.NotFound {
		s.Damage = "its manifest has just gone"
		return nil
	}
	why, bad := undecoded(err)
	if err != nil && !bad {
		return err
	}
	s.Format, s.Domain, s.Repository, s.Size, s.New, s.Stored = m.Format, m.Domain, m.Repository, m.Size, max(m.New, 0), max(m.Stored, 0)
	switch {
	case bad:
		s.Damage = "its manifest is no document: " + why
	case m.Format != ChunksFormat && m.Format != format.Version:
		s.Damage = fmt.Sprintf("its format %q is not known", m.Format)
	case m.Size < 0:
		s.Damage = fmt.Sprintf("it can't have %d bytes", m.Size)
	}
	if s.Damage != "" {
		s.Size = 0
	}
	return nil
}

// undecoded gives what is wrong with a document that could be read and not understood.
func undecoded(err error) (why string, ok bool) {
	if d, bad := errors.AsType[*bank.DecodeError](err); bad {
		return d.Err.Error(), true
	}
	return "", false
}
