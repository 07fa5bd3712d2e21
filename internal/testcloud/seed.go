package testcloud

import (
	"context"
	"fmt"
	"net/http"

	"github.com/karbor/karbor/internal/testcloud/barbican"
	"github.com/karbor/karbor/internal/testcloud/cinder"
	"github.com/karbor/karbor/internal/testcloud/fabric"
	"github.com/karbor/karbor/internal/testcloud/freezer"
	"github.com/karbor/karbor/internal/testcloud/glance"
	"github.com/karbor/karbor/internal/testcloud/keystone"
	"github.com/karbor/karbor/internal/testcloud/manila"
	"github.com/karbor/karbor/internal/testcloud/neutron"
	"github.com/karbor/karbor/internal/testcloud/nova"
	"github.com/karbor/karbor/internal/testcloud/trove"
)

// build makes the services and seeds what is new.
func (c *Cloud) build(ctx context.Context, o Options) error {
	if err := c.identify(o); err != nil {
		return err
	}
	keys := barbican.New(c.fab)
	images := glance.New(c.fab, keys)
	volumes := cinder.New(c.fab, images, keys)
	networks := neutron.New(c.fab)
	servers := nova.New(c.fab, images, volumes, networks)
	c.services = map[string]http.Handler{
		"image":       images,
		"key-manager": keys,
		"volume":      volumes,
		"network":     networks,
		"compute":     servers,
		"share":       manila.New(c.fab),
		"database":    trove.New(c.fab, servers.Flavor),
		"backup":      freezer.New(c.fab),
		"testcloud":   fabric.NewControl(c.fab),
	}
	return c.seed(ctx)
}

// identify gives the cloud its Keystone, which is its home's if it has one.
func (c *Cloud) identify(o Options) error {
	if home := o.Home; home != nil {
		c.keystone, c.projects, c.home = home.keystone, home.projects, home.fab.Base()
		c.fab.UseAuthenticator(home.keystone)
		c.keystone.AddRegion(o.Region, c.fab.Base())
		return nil
	}
	c.keystone = keystone.New(c.fab, keystone.Options{
		TokenTTL: o.TokenTTL, Region: o.Region, DataProtectURL: o.DataProtectURL,
	})
	var err error
	c.projects, err = c.keystone.Seed()
	return err
}

// seed fills the services that are new in this state folder. A start that was
// killed in between is repeated, so each Seed must bear what it finds.
func (c *Cloud) seed(ctx context.Context) error {
	marks := fabric.NewCollection[bool](c.fab.Store, "testcloud-seeded")
	for part, service := range c.services {
		s, ok := service.(fabric.Seeder)
		if done, _ := marks.Get(part); done || !ok {
			continue
		}
		if err := s.Seed(ctx, c.projects); err != nil {
			return fmt.Errorf("seeding %s: %w", part, err)
		}
		marks.Put(part, true)
	}
	return nil
}
