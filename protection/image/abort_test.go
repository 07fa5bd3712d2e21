package image_test

import (
	"context"
	"io"
	"testing"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/protection"
	"github.com/karbor/karbor/protection/protectiontest"
)

// full is a repository that takes no bytes, and says whether its writers are given as long as
// they like to remove what they have written.
type full struct {
	protection.Repository
	aborts *[]bool
}

func (f full) Create(context.Context, string) (protection.Writer, error) {
	return fullWriter{nil, f}, nil
}

type fullWriter struct {
	protection.Writer
	of full
}

func (w fullWriter) Write([]byte) (int, error) { return 0, io.ErrShortWrite }

func (w fullWriter) Abort(ctx context.Context) error {
	_, limited := ctx.Deadline()
	*w.of.aborts = append(*w.of.aborts, limited && ctx.Err() == nil)
	return nil
}

func TestAFailedTransferDoesNotRemoveItsBytesForEver(t *testing.T) {
	tenant := protectiontest.NewTenant(t)
	id := makeImage(t, tenant, nil, content(100))
	g := &karbor.Graph{}
	node := g.Add(karbor.Resource{Type: karbor.ImageType, ID: id, Name: "photo"}, "")
	p := open(t, "{poll_interval: 20ms, timeout: 1m}")
	call := protectiontest.NewSingle(p, protectiontest.Source{Graph: g, Key: node.Key()}).Begin(tenant.Cloud, nil, nil)
	var aborts []bool
	call.Data = full{call.Data, &aborts}
	err := p.Hooks(karbor.Protect, karbor.ImageType).Main(t.Context(), call)
	if err == nil || len(aborts) != 1 || !aborts[0] {
		t.Errorf("aborted was %v, after %v", aborts, err)
	}
}
