package application

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/gophercloud/gophercloud/v2"
)

// Application names the parts of the demo's application. All names begin with
// Name; ids are those of today and change with a restore.
type Application struct {
	Name string
	// First is booted from RootVolume and has DataVolume attached; Second is
	// booted from ServerImage. All are ids.
	First, Second          string
	RootVolume, DataVolume string
	ServerImage            string
	// Archive is a read-only volume that no server has.
	Archive                 string
	Network, Subnet, Router string
	// Group is the servers' security group, Admins one more of the first server's
	// port; Address is its floating address, "" where the cloud has none.
	Group, Admins, Address string
	// FileSystem is the kind of the file system on the root disks.
	FileSystem string
	// images are those that the application was made from, and boot is what the
	// first server's root volume was made of.
	images []string
	boot   *Digest
	// together is the server group, outside the external network's id: neither is
	// destroyed with the application.
	together, outside string
}

// The names of the parts, behind the application's.
const (
	firstServer  = "-web"
	secondServer = "-db"
	rootVolume   = "-web-root"
	dataVolume   = "-web-data"
	network      = "-net"
	subnet       = "-subnet"
	router       = "-router"
	group        = "-group"
	admins       = "-admins"
	key          = "-key"
	together     = "-servers"
	archive      = "-archive"
	address      = "-address"
)

// Sizes of the images, in bytes. Together they are more than 300 MiB of data
// that no packing makes smaller.
const (
	bootSize   = 96 * mib
	dataSize   = 160 * mib
	serverSize = 96 * mib
)

const (
	cidr      = "10.77.0.0/24"
	gateway   = "10.77.0.1"
	firstIP   = "10.77.0.60"
	device    = "/dev/vdb"
	gibibytes = 1
)

// seed gives a fresh seed for random data.
func seed() (s [32]byte) {
	_, _ = rand.Read(s[:]) // never fails: see its documentation
	return s
}

// Create makes the application and brings its data to the state in which it is
// to be protected: the guests have booted, and the data volume has changed
// since. step is told what is being done. What was made is given with an error,
// too, so that it can be destroyed.
func (c *Cloud) Create(ctx context.Context, name string, step func(string)) (*Application, error) {
	app := &Application{Name: name}
	for _, part := range []struct {
		what string
		make func(context.Context, *Application) error
	}{
		{"network, subnet, router", c.createNetwork},
		{"security groups, key and server group", c.createAccess},
		{"images", c.createImages},
		{"first server: booted from a volume", c.createFirst},
		{"second server: booted from an image", c.createSecond},
		{"data volume: changed and attached", c.changeData},
		{"first server's port and floating address", c.createAddress},
		{"archive volume: read-only", c.createArchive},
	} {
		step(part.what)
		if err := part.make(ctx, app); err != nil {
			return app, fmt.Errorf("creating the %s: %w", part.what, err)
		}
	}
	return app, nil
}

func (c *Cloud) createNetwork(ctx context.Context, app *Application) error {
	n, err := create(ctx, c.network, "networks", "network", map[string]any{
		"name": app.Name + network, "description": "the demo's network", "mtu": 1400})
	if err != nil {
		return err
	}
	app.Network = n.text("id")
	if err := c.tag(ctx, "networks/"+app.Network, "demo", "inner"); err != nil {
		return err
	}
	s, err := create(ctx, c.network, "subnets", "subnet", map[string]any{
		"name": app.Name + subnet, "network_id": app.Network, "ip_version": 4, "cidr": cidr, "gateway_ip": gateway,
		"allocation_pools": []any{map[string]any{"start": "10.77.0.50", "end": "10.77.0.99"}},
		"dns_nameservers":  []string{"9.9.9.9", "149.112.112.112"},
		"host_routes":      []any{map[string]any{"destination": "10.99.0.0/16", "nexthop": "10.77.0.7"}}})
	if err != nil {
		return err
	}
	app.Subnet = s.text("id")
	if err := c.tag(ctx, "subnets/"+app.Subnet, "demo", "ten"); err != nil {
		return err
	}
	return c.createRouter(ctx, app)
}

// tag gives a resource of the network service its tags.
func (c *Cloud) tag(ctx context.Context, path string, tags ...string) error {
	_, err := call(ctx, c.network, http.MethodPut, path+"/tags", map[string]any{"tags": tags})
	return err
}

func (c *Cloud) createRouter(ctx context.Context, app *Application) error {
	body := map[string]any{"name": app.Name + router, "description": "the demo's way out"}
	outside, err := find(ctx, c.network, "networks?router:external=True", "networks", nil)
	if err != nil {
		return err
	}
	if len(outside) > 0 {
		app.outside = outside[0].text("id")
		body["external_gateway_info"] = map[string]any{"network_id": app.outside}
	}
	r, err := create(ctx, c.network, "routers", "router", body)
	if err != nil {
		return err
	}
	app.Router = r.text("id")
	if err := c.tag(ctx, "routers/"+app.Router, "demo", "door"); err != nil {
		return err
	}
	_, err = call(ctx, c.network, http.MethodPut, "routers/"+app.Router+"/add_router_interface", map[string]any{"subnet_id": app.Subnet})
	if err != nil {
		return err
	}
	_, err = call(ctx, c.network, http.MethodPut, "routers/"+app.Router, map[string]any{"router": map[string]any{
		"routes": []any{map[string]any{"destination": "10.98.0.0/16", "nexthop": "10.77.0.8"}}}})
	return err
}

func (c *Cloud) createImages(ctx context.Context, app *Application) error {
	for _, i := range []struct {
		name string
		size int64
		into *string
		more map[string]any
	}{
		{"-boot-image", bootSize, nil, nil},
		{"-db-image", serverSize, &app.ServerImage, map[string]any{
			"tags": []string{"demo", "db"}, "min_ram": 64, "min_disk": gibibytes, "os_distro": "none", "demo_note": "made for the demo"}},
	} {
		file, kind, err := fileSystem(ctx, seed(), i.size)
		if err != nil {
			return err
		}
		id, err := c.upload(ctx, app.Name+i.name, file, i.more)
		err = errors.Join(err, file.Close())
		if id != "" {
			app.images = append(app.images, id)
		}
		if err != nil {
			return err
		}
		if i.into != nil {
			*i.into = id
		}
		app.FileSystem = kind
	}
	return nil
}

// createVolume makes a volume from an image and waits for it.
func (c *Cloud) createVolume(ctx context.Context, name, image string, metadata map[string]string) (string, error) {
	v, err := create(ctx, c.volume, "volumes", "volume", map[string]any{
		"name": name, "size": gibibytes, "imageRef": image, "metadata": metadata, "description": "a volume of the demo"})
	if err != nil {
		return "", err
	}
	_, err = settled(ctx, c.volume, "volumes/"+v.text("id"), "volume", "available")
	return v.text("id"), err
}

// flavor gives the smallest flavor with a root disk that holds the images.
func (c *Cloud) flavor(ctx context.Context) (string, error) {
	all, err := find(ctx, c.compute, "flavors/detail", "flavors", nil)
	if err != nil {
		return "", err
	}
	best, least := "", 1e18
	for _, f := range all {
		disk, _ := f["disk"].(float64)
		ram, _ := f["ram"].(float64)
		if disk >= gibibytes && ram+disk < least {
			best, least = f.text("id"), ram+disk
		}
	}
	if best == "" {
		return "", errors.New("the cloud has no flavor with a root disk of 1 GiB or more")
	}
	return best, nil
}

// boot makes a server and waits until it runs.
func (c *Cloud) boot(ctx context.Context, app *Application, id *string, body map[string]any) error {
	flavor, err := c.flavor(ctx)
	if err != nil {
		return err
	}
	body["flavorRef"], body["key_name"] = flavor, app.Name+key
	body["security_groups"] = []any{map[string]any{"name": app.Name + group}}
	made, err := call(ctx, c.compute, http.MethodPost, "servers", map[string]any{"server": body,
		"os:scheduler_hints": map[string]any{"group": app.together}})
	if err != nil {
		return err
	}
	*id = made.doc("server").text("id")
	_, err = settled(ctx, c.compute, "servers/"+*id, "server", "ACTIVE")
	return err
}

func (c *Cloud) createFirst(ctx context.Context, app *Application) (err error) {
	if app.boot, err = c.imageDigest(ctx, "boot image", app.images[0]); err != nil {
		return err
	}
	if app.RootVolume, err = c.createVolume(ctx, app.Name+rootVolume, app.images[0], map[string]string{"role": "root"}); err != nil {
		return err
	}
	return c.boot(ctx, app, &app.First, map[string]any{
		"name": app.Name + firstServer, "description": "the demo's web server",
		"metadata": map[string]string{"tier": "web", "owner": "demo team"}, "tags": []string{"demo", "front"},
		"networks":   []any{map[string]any{"uuid": app.Network, "fixed_ip": firstIP, "tag": "front"}},
		"user_data":  base64.StdEncoding.EncodeToString([]byte("#!/bin/sh\necho the demo's web server\n")),
		"accessIPv4": "192.0.2.60", "OS-DCF:diskConfig": "MANUAL",
		"block_device_mapping_v2": []any{map[string]any{"uuid": app.RootVolume, "boot_index": 0,
			"source_type": "volume", "destination_type": "volume", "delete_on_termination": false}}})
}

func (c *Cloud) createSecond(ctx context.Context, app *Application) error {
	return c.boot(ctx, app, &app.Second, map[string]any{
		"name": app.Name + secondServer, "imageRef": app.ServerImage,
		"metadata": map[string]string{"tier": "db"}, "tags": []string{"demo"}, "config_drive": true,
		"networks": []any{map[string]any{"uuid": app.Network}}})
}

// changeData attaches a data volume, then puts a changed one in its place: the
// only way to change a volume's bytes through the cloud's own API.
func (c *Cloud) changeData(ctx context.Context, app *Application) error {
	data := seed()
	first, err := c.upload(ctx, app.Name+"-data-image", random(data, dataSize), nil)
	if first != "" {
		app.images = append(app.images, first)
	}
	if err != nil {
		return err
	}
	if err := c.attachData(ctx, app, first); err != nil {
		return err
	}
	second, err := c.upload(ctx, app.Name+"-data-image-2", changed(random(data, dataSize), seed()), nil)
	if second != "" {
		app.images = append(app.images, second)
	}
	if err != nil {
		return err
	}
	return c.replaceData(ctx, app, second)
}

func (c *Cloud) attachData(ctx context.Context, app *Application, image string) (err error) {
	app.DataVolume, err = c.createVolume(ctx, app.Name+dataVolume, image, map[string]string{"role": "data", "level": "gold"})
	if err != nil {
		return err
	}
	_, err = create(ctx, c.compute, "servers/"+app.First+"/os-volume_attachments", "volumeAttachment",
		map[string]any{"volumeId": app.DataVolume, "device": device})
	if err != nil {
		return err
	}
	_, err = settled(ctx, c.volume, "volumes/"+app.DataVolume, "volume", "in-use")
	return err
}

// replaceData takes the data volume away and attaches one made of an image.
func (c *Cloud) replaceData(ctx context.Context, app *Application, image string) error {
	old := app.DataVolume
	if err := remove(ctx, c.compute, "servers/"+app.First+"/os-volume_attachments/"+old); err != nil {
		return err
	}
	if _, err := settled(ctx, c.volume, "volumes/"+old, "volume", "available"); err != nil {
		return err
	}
	// Nova keeps the device taken a little longer than Cinder the volume.
	if err := gone(ctx, c.compute, "servers/"+app.First+"/os-volume_attachments/"+old); err != nil {
		return err
	}
	if err := remove(ctx, c.volume, "volumes/"+old); err != nil {
		return err
	}
	if err := gone(ctx, c.volume, "volumes/"+old); err != nil {
		return err
	}
	return c.attachData(ctx, app, image)
}

// AwaitGuest waits until the first server's guest has written to its root disk
// as guests do at boot, for at most limit. It gives how many 4 KiB blocks were
// rewritten.
func (c *Cloud) AwaitGuest(ctx context.Context, app *Application, limit time.Duration) (int, error) {
	for start := time.Now(); ; {
		d, err := c.volumeDigest(ctx, RootVolume, app.RootVolume)
		if err != nil {
			return 0, err
		}
		if n := len(app.boot.Differences(d)); n > 0 || time.Since(start) >= limit {
			return n, nil
		}
		select {
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-time.After(500 * time.Millisecond):
		}
	}
}

// isNotFound reports whether the cloud said so.
func isNotFound(err error) bool { return gophercloud.ResponseCodeIs(err, http.StatusNotFound) }
