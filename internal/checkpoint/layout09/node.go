package layout09

import (
	"context"
	"encoding/json"
	"fmt"
	"io"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/protection"
)

// The names that today's plug-ins have for a node's document and its bulk data.
const (
	documentKey = "metadata"
	dataName    = "data"
)

// Node is a node of a checkpoint as today's plug-ins see it. It is a
// protection.Documents; Data gives its protection.Repository. Neither can be written.
type Node struct {
	*Resource
	// Document is the document that the plug-in of the node's type reads; nil for
	// a type that keeps none.
	Document any
	stream   *stream
}

// CreateJSON implements protection.Documents: it refuses.
func (n *Node) CreateJSON(context.Context, string, any) error { return readOnly() }

// GetJSON implements protection.Documents.
func (n *Node) GetJSON(_ context.Context, key string, v any) error {
	if key != documentKey || n.Document == nil {
		return karbor.Errorf(karbor.NotFound, "there is no document %s of %s", key, n.Node.Key())
	}
	text, err := json.Marshal(n.Document)
	if err != nil {
		return fmt.Errorf("translating the document of %s: %w", n.Node.Key(), err)
	}
	return json.Unmarshal(text, v)
}

// Data gives the node's bulk data. Of its summaries only the size is known, and reading
// tells of a wrong byte at the end only, as the layout has one checksum for all.
func (n *Node) Data() protection.Repository { return data{n.stream} }

func readOnly() error {
	return karbor.Errorf(karbor.Forbidden, "banks of layout 0.9 are not written to")
}

// data is a stream as a protection.Repository.
type data struct{ stream *stream }

func (d data) find(ctx context.Context, name string) error {
	if name != dataName || d.stream == nil {
		return karbor.Errorf(karbor.NotFound, "there is no data %s", name)
	}
	return d.stream.prepare(ctx)
}

func (d data) Create(context.Context, string) (protection.Writer, error) { return nil, readOnly() }

func (d data) Remove(context.Context, string) error { return readOnly() }

func (d data) Open(ctx context.Context, name string) (protection.Reader, error) {
	if err := d.find(ctx, name); err != nil {
		return nil, err
	}
	return d.stream.reader(ctx), nil
}

func (d data) Stat(ctx context.Context, name string) (protection.Summary, error) {
	if err := d.find(ctx, name); err != nil {
		return protection.Summary{}, err
	}
	return protection.Summary{Size: d.stream.size}, nil
}

func (d data) Verify(ctx context.Context, name string, progress func(done, total int64)) error {
	if err := d.find(ctx, name); err != nil {
		return err
	}
	r := d.stream.reader(ctx)
	_, err := io.Copy(io.Discard, &protection.Meter{Reader: r, Total: d.stream.size, Report: progress})
	if closeErr := r.Close(); err == nil {
		err = closeErr
	}
	return err
}

var (
	_ protection.Documents  = (*Node)(nil)
	_ protection.Repository = data{}
)
