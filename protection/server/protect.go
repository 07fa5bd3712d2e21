package server

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/openstack"
	"github.com/karbor/karbor/protection"
)

// instance is a server as Nova shows it.
type instance struct {
	ID               string            `json:"id"`
	Name             string            `json:"name"`
	ProjectID        string            `json:"tenant_id"`
	Status           string            `json:"status"`
	Description      *string           `json:"description"`
	Hostname         string            `json:"OS-EXT-SRV-ATTR:hostname"`
	RootDevice       string            `json:"OS-EXT-SRV-ATTR:root_device_name"`
	UserData         *string           `json:"OS-EXT-SRV-ATTR:user_data"`
	AvailabilityZone string            `json:"OS-EXT-AZ:availability_zone"`
	Metadata         map[string]string `json:"metadata"`
	Tags             []string          `json:"tags"`
	KeyName          *string           `json:"key_name"`
	ConfigDrive      string            `json:"config_drive"`
	DiskConfig       string            `json:"OS-DCF:diskConfig"`
	Locked           bool              `json:"locked"`
	AccessIPv4       string            `json:"accessIPv4"`
	AccessIPv6       string            `json:"accessIPv6"`
	ServerGroups     []string          `json:"server_groups"`
	Image            json.RawMessage   `json:"image"`
	Fault            struct {
		Message string `json:"message"`
	} `json:"fault"`
}

// imageID gives the id of the image, or "" for a server that boots from a volume:
// Nova shows an empty text then, else an object.
func (i *instance) imageID() string {
	var image struct{ ID string }
	if json.Unmarshal(i.Image, &image) != nil {
		return ""
	}
	return image.ID
}

// seesAttributes reports whether Nova showed what only an administrator may read.
func seesAttributes(text json.RawMessage) bool {
	var members map[string]json.RawMessage
	return json.Unmarshal(text, &members) == nil && members["OS-EXT-SRV-ATTR:user_data"] != nil
}

// protect is the Main hook of protect: it reads everything, then writes it.
func (r *room) protect(ctx context.Context, call *protection.Call) error {
	var kept *document
	if err := call.Scratch.Load(ctx, &kept); err != nil {
		return err
	}
	if kept == nil {
		c, err := connect(ctx, call)
		if err != nil {
			return err
		}
		s := survey{clients: c, call: call, doc: &document{}}
		if err := s.read(ctx); err != nil {
			return err
		}
		kept = s.doc
		// What is written must not change between two runs.
		if err := call.Scratch.Save(ctx, kept); err != nil {
			return err
		}
	}
	if !kept.UserDataKnown {
		call.NotKept("The server's user data: only an administrator may read it, and the operator does not allow that.")
	}
	if kept.Hostname == "" {
		call.NotKept("The server's host name: the cloud shows it to administrators only, and the operator does not allow that.")
	}
	for _, disk := range kept.Flavor.localDisks() {
		call.NotKept(fmt.Sprintf("The server's %s is not protected: only its disk and its volumes are.", disk))
	}
	if kept.BootVolumeGuessed {
		call.NotKept("Which volume the server boots from can't be told; the first one is taken for it.")
	}
	return call.Documents.CreateJSON(ctx, documentKey, kept)
}

// survey reads a server.
type survey struct {
	clients
	call       *protection.Call
	doc        *document
	rootDevice string
}

func (s *survey) read(ctx context.Context) error {
	id := s.call.Node.ID
	compute, _, err := s.since(ctx, s.call.Cloud, hostVersion)
	if err != nil {
		return err
	}
	var text json.RawMessage
	if err := compute.get(ctx, "servers/"+id, nil, "server", &text); err != nil {
		return openstack.Explain(err, "reading server %s", id)
	}
	var i instance
	if err := json.Unmarshal(text, &i); err != nil {
		return openstack.Explain(err, "reading server %s", id)
	}
	if slices.Contains([]string{"ERROR", "DELETED", "SOFT_DELETED"}, i.Status) {
		return karbor.Errorf(karbor.Conflict, "server %s is in state %q and can't be protected", id, i.Status)
	}
	s.describe(&i)
	if seesAttributes(text) {
		s.attributes(&i)
	} else if err := s.readAsService(ctx); err != nil {
		return err
	}
	for _, step := range []func(context.Context, *instance) error{s.readFlavor, s.readKey, s.readGroups, s.readVolumes, s.readPorts, s.readFloatingIPs} {
		if err := step(ctx, &i); err != nil {
			return err
		}
	}
	return nil
}

func (s *survey) describe(i *instance) {
	d := s.doc
	d.Name, d.Status, d.AvailabilityZone, d.Image = i.Name, i.Status, i.AvailabilityZone, i.imageID()
	d.Hostname = i.Hostname
	d.Metadata, d.Tags = protection.Untagged(i.Metadata), untagged(i.Tags)
	d.ConfigDrive = i.ConfigDrive == "True" || i.ConfigDrive == "true"
	d.DiskConfig, d.Locked, d.AccessIPv4, d.AccessIPv6 = i.DiskConfig, i.Locked, i.AccessIPv4, i.AccessIPv6
	if i.Description != nil {
		d.Description = *i.Description
	}
	if i.KeyName != nil {
		d.KeyName = *i.KeyName
	}
}

// attributes notes what only an administrator may read.
func (s *survey) attributes(i *instance) {
	s.doc.UserDataKnown, s.doc.Hostname, s.rootDevice = true, cmp.Or(i.Hostname, s.doc.Hostname), i.RootDevice
	if i.UserData != nil {
		s.doc.UserData = *i.UserData
	}
}

// readAsService reads what only an administrator may read, where the operator
// allows it.
func (s *survey) readAsService(ctx context.Context) error {
	if s.call.Service == nil {
		return nil
	}
	client, err := openstack.Compute(ctx, s.call.Service)
	if err != nil {
		return err
	}
	var text json.RawMessage
	err = api{client}.get(ctx, "servers/"+s.call.Node.ID, nil, "server", &text)
	if openstack.IsNotFound(err) {
		return nil // the service user is no administrator here
	}
	if err != nil {
		return openstack.Explain(err, "reading server %s as the service user", s.call.Node.ID)
	}
	var i instance
	if err := json.Unmarshal(text, &i); err != nil {
		return openstack.Explain(err, "reading server %s as the service user", s.call.Node.ID)
	}
	// The tenant has just read this server as his own; make sure that the
	// service user sees the same one.
	if i.ProjectID == s.call.Cloud.ProjectID() && seesAttributes(text) {
		s.attributes(&i)
	}
	return nil
}

// readFlavor reads the flavor. Newer microversions show what it was when the
// server was made, without its id.
func (s *survey) readFlavor(ctx context.Context, i *instance) error {
	var old struct {
		Flavor struct{ ID string } `json:"flavor"`
	}
	if err := s.compute.at("2.46").get(ctx, "servers/"+i.ID, nil, "server", &old); err != nil {
		return openstack.Explain(err, "reading the flavor of server %s", i.ID)
	}
	f, err := showFlavor(ctx, s.compute, old.Flavor.ID)
	if err == nil {
		s.doc.Flavor = f
		return nil
	}
	if !openstack.IsNotFound(err) {
		return err
	}
	// The flavor is gone; the server still knows what it was.
	var now struct {
		Flavor struct {
			Name       string            `json:"original_name"`
			VCPUs      int               `json:"vcpus"`
			RAM        int               `json:"ram"`
			Disk       int               `json:"disk"`
			Ephemeral  int               `json:"ephemeral"`
			Swap       int               `json:"swap"`
			ExtraSpecs map[string]string `json:"extra_specs"`
		} `json:"flavor"`
	}
	if err := s.compute.get(ctx, "servers/"+i.ID, nil, "server", &now); err != nil {
		return openstack.Explain(err, "reading the flavor of server %s", i.ID)
	}
	w := now.Flavor
	s.doc.Flavor = flavor{ID: old.Flavor.ID, Name: w.Name, VCPUs: w.VCPUs, RAM: w.RAM, Disk: w.Disk,
		Ephemeral: w.Ephemeral, Swap: w.Swap, ExtraSpecs: w.ExtraSpecs}
	return nil
}

// readKey reads the public key of the server's keypair.
func (s *survey) readKey(ctx context.Context, _ *instance) error {
	if s.doc.KeyName == "" {
		return nil
	}
	var key struct {
		PublicKey string `json:"public_key"`
		Type      string `json:"type"`
	}
	err := s.compute.get(ctx, "os-keypairs/"+url.PathEscape(s.doc.KeyName), nil, "keypair", &key)
	if openstack.IsNotFound(err) {
		return nil // it belongs to another user, or is deleted
	}
	s.doc.PublicKey, s.doc.KeyType = key.PublicKey, key.Type
	return openstack.Explain(err, "reading keypair %q", s.doc.KeyName)
}

func (s *survey) readGroups(ctx context.Context, i *instance) error {
	for _, id := range i.ServerGroups {
		g := serverGroup{ID: id}
		err := s.compute.get(ctx, "os-server-groups/"+id, nil, "server_group", &g)
		if err != nil && !openstack.IsNotFound(err) {
			return openstack.Explain(err, "reading server group %s", id)
		}
		s.doc.ServerGroups = append(s.doc.ServerGroups, g)
	}
	return nil
}

func (s *survey) readVolumes(ctx context.Context, i *instance) error {
	err := s.compute.get(ctx, "servers/"+i.ID+"/os-volume_attachments", nil, "volumeAttachments", &s.doc.Volumes)
	if err != nil {
		return openstack.Explain(err, "listing the volumes of server %s", i.ID)
	}
	v := s.doc.Volumes
	slices.SortFunc(v, func(a, b attachment) int {
		return cmp.Or(cmp.Compare(len(a.Device), len(b.Device)), cmp.Compare(a.Device, b.Device), cmp.Compare(a.VolumeID, b.VolumeID))
	})
	v = slices.CompactFunc(v, func(a, b attachment) bool { return a.VolumeID == b.VolumeID }) // listed twice
	s.doc.Volumes = v
	boot := -1
	if s.doc.Image == "" {
		if boot, err = s.bootVolume(ctx, v); err != nil {
			return err
		}
	}
	for n := range v {
		v[n].BootIndex = -1
		if n == boot {
			v[n].BootIndex = 0
		}
	}
	return nil
}

// bootVolume tells which of a server's volumes, in the order of their devices, it
// boots from, and makes sure that it is protected: without it nothing could be
// restored. Only an administrator sees the root device; else it is the bootable one.
func (s *survey) bootVolume(ctx context.Context, volumes []attachment) (int, error) {
	if len(volumes) == 0 {
		return -1, karbor.Errorf(karbor.Invalid, "server %s has neither an image nor a volume to boot from", s.call.Node.ID)
	}
	boot := slices.IndexFunc(volumes, func(a attachment) bool { return s.rootDevice != "" && a.Device == s.rootDevice })
	if boot < 0 {
		var bootable []int
		for n, a := range volumes {
			var v volumeView
			if err := s.volume.get(ctx, "volumes/"+a.VolumeID, nil, "volume", &v); err != nil {
				return -1, openstack.Explain(err, "reading volume %s", a.VolumeID)
			}
			if v.Bootable == "true" {
				bootable = append(bootable, n)
			}
		}
		s.doc.BootVolumeGuessed = len(bootable) != 1
		boot = append(bootable, 0)[0]
	}
	id := volumes[boot].VolumeID
	if s.call.Graph.Node(karbor.MakeNodeKey(karbor.Resource{Type: karbor.VolumeType, ID: id}, "")) == nil {
		return -1, karbor.Errorf(karbor.Invalid, "server %s boots from volume %s, which this provider does not protect: "+
			"the server could not be restored", s.call.Node.ID, id)
	}
	return boot, nil
}
