package main

import (
	"context"
	"fmt"

	"github.com/karbor/karbor/test/demo/application"
)

// picture is all that the demo knows of an application at one moment.
type picture struct {
	disks      map[string]*application.Digest
	image      *application.Digest
	properties application.Properties
}

// takePicture asks the cloud for bytes and properties. The image of the second
// server is the one that it was booted from, which a restore makes anew.
func takePicture(ctx context.Context, c *application.Cloud, app *application.Application, image bool) (*picture, error) {
	p := &picture{}
	var err error
	if p.properties, err = c.Properties(ctx, app); err != nil {
		return nil, err
	}
	if p.disks, err = c.Digests(ctx, app); err != nil {
		return nil, err
	}
	if image {
		if p.image, err = c.ImageDigest(ctx, app); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// compare gives the checks of the restored application against the original.
// With guests, the one block that a guest writes at each boot may differ on the
// root disks, if the same guest has written it: the restored servers have booted.
func compare(app *application.Application, before, after *picture, guests bool) []check {
	hosts := app.Servers()
	if !guests {
		hosts = []string{"", ""}
	}
	var checks []check
	for _, d := range []struct{ name, host string }{
		{application.RootVolume, hosts[0]}, {application.DataVolume, ""}, {application.RootDisk, hosts[1]},
	} {
		checks = append(checks, compareDisk(d.name, before.disks[d.name], after.disks[d.name], d.host))
	}
	if after.image != nil {
		// What Karbor restored, before the guest booted from it: no byte may differ.
		checks = append(checks, compareDisk(application.ServerImage, before.disks[application.RootDisk], after.image, ""))
	}
	return append(checks, check{
		what: "servers, ports, addresses, volumes, image, network, subnet, router, security groups, key", how: fmt.Sprintf("%d properties", len(before.properties)),
		faults: before.properties.Differences(after.properties)})
}

func compareDisk(name string, before, after *application.Digest, host string) check {
	c := check{what: name, how: "all bytes, SHA-256 " + before.SHA256[:16], bytes: before.Bytes, took: after.Took}
	if before.Bytes != after.Bytes {
		c.faults = append(c.faults, fmt.Sprintf("it had %d bytes and has %d", before.Bytes, after.Bytes))
	}
	different := before.Differences(after)
	if host != "" && len(different) == 1 && different[0] == application.GuestAt &&
		before.Guest(host) != "" && after.Guest(host) != "" {
		c.how = "all bytes but the 4096 of the guest's boot"
		return c
	}
	if n := len(different); n > 0 {
		c.faults = append(c.faults, fmt.Sprintf("blocks of 4 KiB that differ: %d, the first at byte %d", n, different[0]))
	}
	return c
}

// faults counts the differences.
func faults(checks []check) int {
	n := 0
	for _, c := range checks {
		n += len(c.faults)
	}
	return n
}
