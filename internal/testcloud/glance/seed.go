package glance

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"

	"github.com/karbor/karbor/internal/testcloud/fabric"
)

// The seeded image: its name, its bytes, and how many of the first of them
// are not zero.
const (
	seedName  = "cirros"
	seedBytes = 16 << 20
	seedData  = 4 << 20
)

// Seed makes the public image "cirros". Its bytes are generated and always the
// same; they boot nothing.
func (g *Glance) Seed(ctx context.Context, p fabric.Projects) error {
	for _, i := range g.images.List(func(i image) bool { return i.Name == seedName && i.Owner == p.Admin }) {
		g.DropImage(i.ID)
	}
	i, err := g.CreateImage(fabric.Identity{ProjectID: p.Admin, Roles: []string{"admin"}},
		fabric.ImageSpec{Name: seedName, Visibility: public, Properties: map[string]string{"os_distro": "cirros"}})
	if err != nil {
		return fmt.Errorf("making the image %s: %w", seedName, err)
	}
	if err := g.begin(i.ID); err != nil {
		return err
	}
	s := newSums()
	data := seedReader()
	size, err := g.fab.Blobs.Receive(ctx, g.ImageBlob(i.ID), io.TeeReader(data, s))
	if err != nil {
		return fmt.Errorf("filling the image %s: %w", seedName, err)
	}
	return g.finish(i.ID, size, s.known())
}

// seedReader gives the bytes of the seeded image.
func seedReader() io.Reader {
	random := rand.NewChaCha8([32]byte([]byte("the bytes of the image cirros...")))
	return io.MultiReader(io.LimitReader(random, seedData), io.LimitReader(zeros{}, seedBytes-seedData))
}

// zeros reads as zeros without end.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}
