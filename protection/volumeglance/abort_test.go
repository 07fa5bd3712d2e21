package volumeglance_test

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
	volume := tenant.Make(t, "volume", "volumes", "volume", map[string]any{"name": "data", "size": 1})
	id, _ := volume["id"].(string)
	tenant.Await(t, "volume", "volumes/"+id, "volume", "available")
	g := &karbor.Graph{}
	node := g.Add(karbor.Resource{Type: karbor.VolumeType, ID: id, Name: "data"}, "")
	single := protectiontest.NewSingle(open(t), protectiontest.Source{Graph: g, Key: node.Key()})
	call, hooks := single.Begin(tenant.Cloud, nil, nil), open(t).Hooks(karbor.Protect, karbor.VolumeType)
	if err := single.Run(t, hooks.PrepareFinish, call); err != nil {
		t.Fatal(err)
	}
	var aborts []bool
	call.Data = full{call.Data, &aborts}
	err := hooks.Main(t.Context(), call)
	if err == nil || len(aborts) != 1 || !aborts[0] {
		t.Errorf("aborted was %v, after %v", aborts, err)
	}
}
