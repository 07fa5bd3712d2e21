package server

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/openstack"
	"github.com/karbor/karbor/protection"
)

// restoreRecord is the scratch record of a restore.
type restoreRecord struct {
	Server string `json:"server,omitempty"`
	// Keypair is the name of the keypair that this restore imports. It is
	// recorded before the import.
	Keypair string `json:"keypair,omitempty"`
}

// builder builds a server.
type builder struct {
	clients
	room   *room
	call   *protection.Call
	doc    document
	record restoreRecord
	// hostname is the host name of the server that was made; "" if the cloud does not show it.
	hostname string
	// portIDs maps the original ports to the new ones, groupIDs the original security
	// groups to those that this restore made.
	portIDs, groupIDs map[string]string
	// begun are the originals of the new ports that bear the mark still.
	begun []port
}

// restore is the Complete hook of restore: by then the server's volumes, image and
// networks are back.
func (r *room) restore(ctx context.Context, call *protection.Call) error {
	c, err := connect(ctx, call)
	if err != nil {
		return err
	}
	b := &builder{clients: c, room: r, call: call, portIDs: map[string]string{}, groupIDs: map[string]string{}}
	if err := call.Documents.GetJSON(ctx, documentKey, &b.doc); err != nil {
		return err
	}
	if err := call.Scratch.Load(ctx, &b.record); err != nil {
		return err
	}
	for _, step := range []func(context.Context) error{b.securityGroups, b.ports, b.server, b.awaitActive, b.volumes, b.tags, b.floatingIPs, b.finishPorts, b.power} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	b.reportNotKept()
	b.hostNotKept(b.hostname)
	return call.NewResources.Set(ctx, b.record.Server)
}

// reportNotKept tells what a new server never has.
func (b *builder) reportNotKept() {
	if !b.doc.UserDataKnown {
		b.call.NotKept("The server has no user data: it could not be read when the server was protected.")
	}
	if b.doc.Locked {
		b.call.NotKept("The server is not locked: the original was.")
	}
	if b.doc.BootVolumeGuessed {
		b.call.NotKept("The server boots from its first volume: nobody could tell which one the original booted from.")
	}
	for _, disk := range b.doc.Flavor.localDisks() {
		b.call.NotKept(fmt.Sprintf("What was on the server's %s: only its disk and its volumes are protected.", disk))
	}
	if state := lastingStates[b.doc.Status]; state != "" && b.call.Text("restore_power") != "stopped" {
		b.call.NotKept(fmt.Sprintf("The server runs: the original was %s.", state))
	}
}

// server gives the id of the server, and asks Nova for it if there is none yet.
func (b *builder) server(ctx context.Context) error {
	if b.record.Server != "" {
		return nil
	}
	id, err := b.find(ctx)
	if err != nil {
		return err
	}
	if id == "" {
		if id, err = b.create(ctx); err != nil {
			return err
		}
	}
	b.record.Server = id
	return b.call.Scratch.Save(ctx, b.record)
}

// create asks Nova for the server.
func (b *builder) create(ctx context.Context) (string, error) {
	body, err := b.body(ctx)
	if err != nil {
		return "", err
	}
	hints, err := b.hints(ctx)
	if err != nil {
		return "", err
	}
	host, compute, err := b.host(ctx)
	if err != nil {
		return "", err
	}
	if host != "" {
		body["hostname"] = host
	}
	request := map[string]any{"server": body}
	if len(hints) > 0 {
		request["os:scheduler_hints"] = hints
	}
	return openstack.MakeRestored(ctx, b.call, protection.Holding{Kind: protection.HeldServer}, "server", b.find, func(ctx context.Context) (string, error) {
		var made struct{ ID string }
		err := compute.post(ctx, "servers", request, "server", &made)
		return made.ID, nameTaken(openstack.Explain(err, "creating the server that takes the place of server %s", b.call.Node.ID))
	})
}

// nameTaken says what to do where the operator has names of servers be different.
func nameTaken(err error) error {
	if karbor.KindOf(err) != karbor.Conflict || !strings.Contains(err.Error(), "already exists") {
		return err
	}
	return &karbor.Error{Kind: karbor.Conflict, Cause: err, Message: karbor.Sentence(err) + " (restore_name gives the server another name)"}
}

// find gives the server that an earlier run asked for without living to record
// it, or "". Until it is finished it has tags of ours.
func (b *builder) find(ctx context.Context) (string, error) {
	ids, err := findServers(ctx, b.compute, b.call)
	if err != nil || len(ids) == 0 {
		return "", err
	}
	return ids[0], nil
}

func findServers(ctx context.Context, compute api, call *protection.Call) ([]string, error) {
	tags := ownTags(call.Owner, call.Node.ID)
	var found []instance
	err := compute.get(ctx, "servers/detail", url.Values{"tags": {tags[0] + "," + tags[1]}}, "servers", &found)
	if err != nil {
		return nil, openstack.Explain(err, "looking for the server made for server %s", call.Node.ID)
	}
	var ids []string
	for _, i := range found {
		if slices.Contains(i.Tags, tags[0]) && slices.Contains(i.Tags, tags[1]) {
			ids = append(ids, i.ID)
		}
	}
	slices.Sort(ids)
	return ids, nil
}

// body gives what Nova is asked for.
func (b *builder) body(ctx context.Context) (map[string]any, error) {
	d := b.doc
	body := map[string]any{
		"name":     b.call.RestoredName(d.Name),
		"metadata": d.Metadata,
		"tags":     madeTags(b.call),
	}
	flavorID, err := b.flavor(ctx)
	if err != nil {
		return nil, err
	}
	body["flavorRef"] = flavorID
	if err := b.bootSource(ctx, body); err != nil {
		return nil, err
	}
	key, err := b.keypair(ctx)
	if err != nil {
		return nil, err
	}
	zone, err := b.zone(ctx)
	if err != nil {
		return nil, err
	}
	for member, text := range map[string]string{
		"availability_zone": zone, "key_name": key, "description": d.Description, "user_data": d.UserData,
		"accessIPv4": d.AccessIPv4, "accessIPv6": d.AccessIPv6, "OS-DCF:diskConfig": d.DiskConfig,
	} {
		if text != "" {
			body[member] = text
		}
	}
	if d.ConfigDrive {
		body["config_drive"] = true
	}
	var networks []map[string]any
	for _, p := range d.Ports {
		n := map[string]any{"port": b.portIDs[p.ID]}
		if p.DeviceTag != "" {
			n["tag"] = p.DeviceTag
		}
		networks = append(networks, n)
	}
	body["networks"] = networks
	if len(networks) == 0 {
		body["networks"] = "none"
	}
	return body, nil
}

// bootSource puts the image or the volume into the body that the server boots
// from.
func (b *builder) bootSource(ctx context.Context, body map[string]any) error {
	if b.doc.Image != "" {
		id, err := b.imageID(ctx)
		body["imageRef"] = id
		return err
	}
	for _, v := range b.doc.Volumes {
		if v.BootIndex != 0 {
			continue
		}
		id := b.volumeID(v.VolumeID)
		if id == "" {
			return karbor.Errorf(karbor.FailedDependency, "server %s boots from volume %s, which was not restored", b.call.Node.ID, v.VolumeID)
		}
		goes, err := b.goesAlong(ctx, v, id)
		if err != nil {
			return err
		}
		mapping := map[string]any{
			"boot_index": 0, "uuid": id, "source_type": "volume", "destination_type": "volume",
			"delete_on_termination": goes,
		}
		if v.Tag != nil && *v.Tag != "" {
			mapping["tag"] = *v.Tag
		}
		body["block_device_mapping_v2"] = []any{mapping}
		return nil
	}
	return karbor.Errorf(karbor.FailedDependency, "server %s has neither an image nor a volume to boot from", b.call.Node.ID)
}

// imageID gives the image to boot from: the restored one, or the original if it
// was not protected and is still there.
func (b *builder) imageID(ctx context.Context) (string, error) {
	original := karbor.Resource{Type: karbor.ImageType, ID: b.doc.Image}
	for _, role := range []string{b.call.Node.ID, ""} {
		if id := b.call.NewResources.ID(karbor.MakeNodeKey(original, role)); id != "" {
			return id, nil
		}
	}
	var image struct{ Status string }
	err := b.image.get(ctx, "images/"+b.doc.Image, nil, "", &image)
	if openstack.IsNotFound(err) || err == nil && image.Status != "active" {
		return "", karbor.Errorf(karbor.FailedDependency, "server %s boots from image %s, which was not restored and is not there", b.call.Node.ID, b.doc.Image)
	}
	if err == nil {
		b.call.NotKept(fmt.Sprintf("The server's disk is as image %s has it: the disk itself was not protected.", b.doc.Image))
	}
	return b.doc.Image, openstack.Explain(err, "reading image %s", b.doc.Image)
}

// volumeID gives the volume that takes the place of one of the server's, or "".
func (b *builder) volumeID(original string) string {
	return b.call.NewResources.ID(karbor.MakeNodeKey(karbor.Resource{Type: karbor.VolumeType, ID: original}, ""))
}

// awaitActive waits until the server runs.
func (b *builder) awaitActive(ctx context.Context) error {
	ctx, cancel := openstack.Within(ctx, b.room.options.Timeout)
	defer cancel()
	id := b.record.Server
	what := fmt.Sprintf("server %s, made for server %s", id, b.call.Node.ID)
	compute, _, err := b.since(ctx, b.call.Cloud, hostVersion)
	if err != nil {
		return err
	}
	return openstack.Poll(ctx, what, b.room.options.PollInterval, func(ctx context.Context) (bool, error) {
		var i instance
		if err := compute.get(ctx, "servers/"+id, nil, "server", &i); err != nil {
			return false, openstack.Explain(err, "reading %s", what)
		}
		b.hostname = i.Hostname
		switch i.Status {
		case "ACTIVE", "SHUTOFF", "PAUSED", "SUSPENDED":
			return true, nil
		case "ERROR", "DELETED", "SOFT_DELETED":
			return false, karbor.Errorf(karbor.Conflict, "%s went into state %q: %s", what, i.Status,
				protection.First(i.Fault.Message, "the cloud gives no reason"))
		default:
			return false, openstack.Still("in state %q", i.Status)
		}
	})
}

// madeTags are the tags of the server from the beginning.
func madeTags(call *protection.Call) []string {
	tags := ownTags(call.Owner, call.Node.ID)
	mark := protection.RestoringMark(call.Installation)
	if call.Drill {
		mark = protection.DrillMark(call.Installation)
	}
	if mark != "" {
		tags = append(tags, mark)
	}
	return tags
}

// tags gives the server the tags of the original, in place of ours.
func (b *builder) tags(ctx context.Context) error {
	tags := b.doc.Tags
	switch {
	case b.call.Drill:
		tags = madeTags(b.call) // it goes again, and is looked for by them
	case tags == nil:
		tags = []string{}
	}
	err := b.compute.put(ctx, "servers/"+b.record.Server+"/tags", map[string]any{"tags": tags})
	return openstack.Explain(err, "tagging server %s", b.record.Server)
}
