package contract

import (
	"bytes"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/flavors"
	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/keypairs"
	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/servers"
	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/volumeattach"
)

// guestWrites is the most that a guest of the simulator writes at a boot.
const guestWrites = 4096

var (
	serverStatus = []any{"server", "status"}
	deviceName   = regexp.MustCompile(`^/dev/[sv]d[b-z]$`)
)

func testCompute(t *testing.T, c *cloud) {
	t.Run("key pair", func(t *testing.T) { testKeypair(t, c) })
	t.Run("flavor", func(t *testing.T) { testFlavor(t, c) })
	t.Run("server of an image", func(t *testing.T) { testImageServer(t, c) })
	t.Run("server of a volume", func(t *testing.T) { testVolumeServer(t, c) })
	t.Run("volume of an image", func(t *testing.T) { testServerMakesVolume(t, c) })
	t.Run("refused", func(t *testing.T) { testServerRefused(t, c) })
}

// flavor gives the id of the smallest flavor with a disk.
func (c *cloud) flavor(t *testing.T) string {
	t.Helper()
	id, least := "", 0.0
	for _, f := range c.member.get(t, "compute", "/flavors/detail").want(t, http.StatusOK).list("flavors") {
		disk, _ := f["disk"].(float64)
		if name, _ := f["id"].(string); disk >= 1 && (id == "" || disk < least) {
			id, least = name, disk
		}
	}
	if id == "" {
		t.Fatal("there is no flavor with a disk")
	}
	return id
}

// server makes a server and waits until it is active. It goes with the test.
func (c *cloud) server(t *testing.T, name string, members object) string {
	t.Helper()
	want := object{"name": c.name(name), "flavorRef": c.flavor(t)}
	maps.Copy(want, members)
	a := c.member.nova("2.52").post(t, "compute", "/servers", object{"server": want}).want(t, http.StatusAccepted)
	id := a.text("server", "id")
	c.member.forget(t, "compute", "/servers/"+id)
	a.has(t, []any{"server"}, "adminPass", "links", "OS-DCF:diskConfig")
	if a.header.Get("Location") == "" {
		t.Error("a new server has no Location")
	}
	first := c.member.get(t, "compute", "/servers/"+id).want(t, http.StatusOK)
	if status := first.text(serverStatus...); status != "BUILD" && status != "ACTIVE" {
		t.Errorf("a new server is %q, want BUILD", status)
	}
	c.member.until(t, "compute", "/servers/"+id, serverStatus, "ACTIVE", "BUILD")
	return id
}

func testKeypair(t *testing.T, c *cloud) {
	name := c.name("key")
	a := c.member.post(t, "compute", "/os-keypairs", object{"keypair": object{"name": name}}).want(t, http.StatusOK)
	c.member.forget(t, "compute", "/os-keypairs/"+name)
	if !strings.Contains(a.text("keypair", "private_key"), "PRIVATE KEY") || !strings.HasPrefix(a.text("keypair", "public_key"), "ssh-rsa ") {
		t.Errorf("the new key pair is %.200s", a.body)
	}
	public, fingerprint := a.text("keypair", "public_key"), a.text("keypair", "fingerprint")
	c.member.post(t, "compute", "/os-keypairs", object{"keypair": object{"name": name}}).refused(t, http.StatusConflict, "conflictingRequest")
	a = c.member.get(t, "compute", "/os-keypairs/"+name).want(t, http.StatusOK)
	a.equals(t, public, "keypair", "public_key")
	a.equals(t, nil, "keypair", "private_key")
	a.dated(t, cinderTime, "keypair", "created_at")
	imported := c.name("imported")
	later := c.member.nova("2.92")
	a = later.post(t, "compute", "/os-keypairs", object{"keypair": object{"name": imported, "type": "ssh", "public_key": public}}).
		want(t, http.StatusCreated)
	c.member.forget(t, "compute", "/os-keypairs/"+imported)
	a.equals(t, fingerprint, "keypair", "fingerprint")
	later.post(t, "compute", "/os-keypairs", object{"keypair": object{"name": c.name("none")}}).refused(t, http.StatusBadRequest, "badRequest")
	c.member.post(t, "compute", "/os-keypairs", object{"keypair": object{"name": c.name("bad"), "public_key": "bad"}}).
		refused(t, http.StatusBadRequest, "badRequest")
	decoded, err := keypairs.Get(t.Context(), c.client(t, c.Member, "compute"), imported, nil).Extract()
	if err != nil || decoded.PublicKey != public {
		t.Errorf("gophercloud reads the key pair as %+v, %v", decoded, err)
	}
	c.other.get(t, "compute", "/os-keypairs/"+name).refused(t, http.StatusNotFound, "itemNotFound")
	c.other.delete(t, "compute", "/os-keypairs/"+name).refused(t, http.StatusNotFound, "itemNotFound")
	c.member.delete(t, "compute", "/os-keypairs/"+name).want(t, http.StatusAccepted)
}

func testFlavor(t *testing.T, c *cloud) {
	id := c.flavor(t)
	a := c.member.get(t, "compute", "/flavors/"+id).want(t, http.StatusOK)
	a.equals(t, "", "flavor", "swap")
	a.equals(t, nil, "flavor", "extra_specs")
	a.has(t, []any{"flavor"}, "name", "ram", "vcpus", "disk", "OS-FLV-EXT-DATA:ephemeral", "os-flavor-access:is_public", "rxtx_factor")
	c.member.nova("2.93").get(t, "compute", "/flavors/"+id).want(t, http.StatusOK).equals(t, 0.0, "flavor", "swap")
	c.member.get(t, "compute", "/flavors/no-such").refused(t, http.StatusNotFound, "itemNotFound")
	decoded, err := flavors.Get(t.Context(), c.client(t, c.Member, "compute"), id).Extract()
	if err != nil || decoded.Disk < 1 || decoded.RAM < 1 {
		t.Errorf("gophercloud reads the flavor as %+v, %v", decoded, err)
	}
}

func testImageServer(t *testing.T, c *cloud) {
	content := noise(300_000)
	image := c.upload(t, "root", content)
	network, _ := c.net(t, "servers", "10.14.0.0/24")
	key := c.name("server-key")
	c.member.post(t, "compute", "/os-keypairs", object{"keypair": object{"name": key}}).want(t, http.StatusOK)
	c.member.forget(t, "compute", "/os-keypairs/"+key)
	id := c.server(t, "server", object{"imageRef": image, "networks": []object{{"uuid": network}}, "key_name": key,
		"metadata": object{"m": "1"}, "user_data": "aGVsbG8=", "tags": []string{"first"}})
	path := "/servers/" + id
	testServerView(t, c, id, image, key)
	testServerMetadata(t, c, path)
	testHostName(t, c, path)
	testServerNetwork(t, c, path, network)
	testAttachment(t, c, id)
	testServerPower(t, c, path)
	testCreateImage(t, c, path, image, content)
	c.other.get(t, "compute", path).refused(t, http.StatusNotFound, "itemNotFound")
	c.other.delete(t, "compute", path).refused(t, http.StatusNotFound, "itemNotFound")
	c.other.post(t, "compute", path+"/action", object{"os-stop": nil}).refused(t, http.StatusNotFound, "itemNotFound")
	ports := c.member.get(t, "network", "/ports?device_id="+id).want(t, http.StatusOK).list("ports")
	if len(ports) != 1 || ports[0]["device_owner"] != "compute:nova" || ports[0]["status"] != "ACTIVE" {
		t.Errorf("the server's ports are %v, want one of compute:nova", ports)
	}
	c.member.delete(t, "compute", path).want(t, http.StatusNoContent)
	c.member.untilGone(t, "compute", path, serverStatus, "ACTIVE", "DELETED")
	c.member.eventually(t, "the port that Nova made goes with the server", func() bool {
		return len(c.member.get(t, "network", "/ports?device_id="+id).want(t, http.StatusOK).list("ports")) == 0
	})
}

func testServerView(t *testing.T, c *cloud, id, image, key string) {
	path := "/servers/" + id
	a := c.member.get(t, "compute", path).want(t, http.StatusOK)
	a.equals(t, image, "server", "image", "id")
	a.equals(t, c.flavor(t), "server", "flavor", "id")
	a.equals(t, key, "server", "key_name")
	a.equals(t, "active", "server", "OS-EXT-STS:vm_state")
	a.equals(t, nil, "server", "OS-EXT-STS:task_state")
	a.equals(t, 1.0, "server", "OS-EXT-STS:power_state")
	a.equals(t, c.member.projectID, "server", "tenant_id")
	a.equals(t, "default", "server", "security_groups", 0, "name")
	a.dated(t, glanceTime, "server", "created")
	a.dated(t, cinderTime, "server", "OS-SRV-USG:launched_at")
	a.has(t, []any{"server"}, "hostId", "config_drive", "accessIPv4", "OS-EXT-AZ:availability_zone", "progress")
	net := c.name("servers")
	a.equals(t, "fixed", "server", "addresses", net, 0, "OS-EXT-IPS:type")
	a.equals(t, 4.0, "server", "addresses", net, 0, "version")
	if a.text("server", "addresses", net, 0, "OS-EXT-IPS-MAC:mac_addr") == "" {
		t.Error("the address has no MAC")
	}
	if a.at("server", "tags") != nil || a.at("server", "OS-EXT-SRV-ATTR:user_data") != nil {
		t.Error("at 2.1 a member sees tags or user data")
	}
	late := c.member.nova("2.93").get(t, "compute", path).want(t, http.StatusOK)
	late.has(t, []any{"server"}, "tags", "locked", "description", "server_groups", "OS-EXT-SRV-ATTR:hostname")
	late.equals(t, "first", "server", "tags", 0)
	if late.text("server", "flavor", "original_name") == "" || late.at("server", "flavor", "id") != nil {
		t.Errorf("at 2.93 the flavor is %v, want it embedded", late.at("server", "flavor"))
	}
	late.equalsHeader(t, "OpenStack-API-Version", "compute 2.93")
	if c.admin != nil {
		c.admin.nova("2.3").get(t, "compute", path).want(t, http.StatusOK).
			equals(t, "aGVsbG8=", "server", "OS-EXT-SRV-ATTR:user_data")
	}
	c.member.nova("2.999").get(t, "compute", path).refused(t, http.StatusNotAcceptable, "computeFault")
	client := c.client(t, c.Member, "compute")
	for _, version := range []string{"", "2.93"} {
		client.Microversion = version
		decoded, err := servers.Get(t.Context(), client, id).Extract()
		if err != nil || decoded.Created.IsZero() || decoded.LaunchedAt.IsZero() || decoded.Status != "ACTIVE" {
			t.Errorf("gophercloud at %q reads the server as %+v, %v", version, decoded, err)
		}
	}
	list := c.member.get(t, "compute", "/servers/detail?name="+c.name("server")).want(t, http.StatusOK)
	if got := ids(list.list("servers")); !slices.Equal(got, []string{id}) {
		t.Errorf("the list by name gives %q, want %q", got, id)
	}
	c.member.get(t, "compute", "/servers?limit=1").want(t, http.StatusOK).equals(t, "next", "servers_links", 0, "rel")
	c.member.get(t, "compute", "/servers/detail?all_tenants=1").refused(t, http.StatusForbidden, "forbidden")
	if got := ids(c.other.get(t, "compute", "/servers").want(t, http.StatusOK).list("servers")); slices.Contains(got, id) {
		t.Error("another project's list shows the server")
	}
}

func testServerMetadata(t *testing.T, c *cloud, path string) {
	s := c.member
	s.post(t, "compute", path+"/metadata", object{"metadata": object{"q": "2"}}).want(t, http.StatusOK).equals(t, "1", "metadata", "m")
	s.put(t, "compute", path+"/metadata/q", object{"meta": object{"q": "3"}}).want(t, http.StatusOK).equals(t, "3", "meta", "q")
	s.get(t, "compute", path+"/metadata/none").refused(t, http.StatusNotFound, "itemNotFound")
	s.delete(t, "compute", path+"/metadata/q").want(t, http.StatusNoContent)
	s.put(t, "compute", path+"/metadata", object{"metadata": object{"r": "4"}}).want(t, http.StatusOK).equals(t, nil, "metadata", "m")
	s.get(t, "compute", path+"/metadata").want(t, http.StatusOK).equals(t, "4", "metadata", "r")

	tags := s.nova("2.26")
	s.get(t, "compute", path+"/tags").want(t, http.StatusNotFound)
	tags.put(t, "compute", path+"/tags/second", nil).want(t, http.StatusCreated)
	tags.put(t, "compute", path+"/tags/second", nil).want(t, http.StatusNoContent)
	tags.get(t, "compute", path+"/tags/second").want(t, http.StatusNoContent)
	tags.put(t, "compute", path+"/tags", object{"tags": []string{"third"}}).want(t, http.StatusOK).equals(t, "third", "tags", 0)
	tags.get(t, "compute", path+"/tags/second").refused(t, http.StatusNotFound, "itemNotFound")
	tags.delete(t, "compute", path+"/tags/second").refused(t, http.StatusNotFound, "itemNotFound")
	tags.delete(t, "compute", path+"/tags/third").want(t, http.StatusNoContent)
	c.other.get(t, "compute", path+"/metadata").refused(t, http.StatusNotFound, "itemNotFound")
}

func testServerNetwork(t *testing.T, c *cloud, path, network string) {
	a := c.member.get(t, "compute", path+"/os-interface").want(t, http.StatusOK)
	if len(a.list("interfaceAttachments")) != 1 {
		t.Fatalf("the server has %d interfaces, want 1", len(a.list("interfaceAttachments")))
	}
	a.equals(t, network, "interfaceAttachments", 0, "net_id")
	a.has(t, []any{"interfaceAttachments", 0}, "port_id", "mac_addr", "port_state", "fixed_ips")
	a = c.member.post(t, "compute", path+"/os-interface", object{"interfaceAttachment": object{"net_id": network}}).want(t, http.StatusOK)
	second := a.text("interfaceAttachment", "port_id")
	c.member.delete(t, "compute", path+"/os-interface/"+second).want(t, http.StatusAccepted)
	c.member.eventually(t, "the second interface goes", func() bool {
		return len(c.member.get(t, "compute", path+"/os-interface").want(t, http.StatusOK).list("interfaceAttachments")) == 1
	})
	c.member.get(t, "compute", path+"/os-security-groups").want(t, http.StatusOK).equals(t, "default", "security_groups", 0, "name")
	c.member.get(t, "compute", path+"/ips").want(t, http.StatusOK).equals(t, 4.0, "addresses", c.name("servers"), 0, "version")
}

func testAttachment(t *testing.T, c *cloud, server string) {
	volume := c.volume(t, "data", nil)
	path := "/servers/" + server + "/os-volume_attachments"
	c.other.post(t, "compute", path, object{"volumeAttachment": object{"volumeId": volume}}).refused(t, http.StatusNotFound, "itemNotFound")
	c.member.post(t, "compute", path, object{"volumeAttachment": object{"volumeId": server}}).refused(t, http.StatusNotFound, "itemNotFound")
	a := c.member.post(t, "compute", path, object{"volumeAttachment": object{"volumeId": volume}}).want(t, http.StatusOK)
	a.equals(t, volume, "volumeAttachment", "volumeId")
	device := a.text("volumeAttachment", "device")
	if !deviceName.MatchString(device) {
		t.Errorf("the device is %q", device)
	}
	v := c.member.until(t, "volumev3", "/volumes/"+volume, volumeStatus, "in-use", "available", "reserved", "attaching")
	v.equals(t, server, "volume", "attachments", 0, "server_id")
	v.equals(t, device, "volume", "attachments", 0, "device")
	v.equals(t, volume, "volume", "attachments", 0, "volume_id")
	v.has(t, []any{"volume", "attachments", 0}, "attachment_id", "attached_at", "host_name", "id")
	c.member.post(t, "compute", path, object{"volumeAttachment": object{"volumeId": volume}}).refused(t, http.StatusBadRequest, "badRequest")
	c.member.get(t, "compute", path).want(t, http.StatusOK).equals(t, volume, "volumeAttachments", 0, "id")
	late := c.member.nova("2.93").get(t, "compute", path).want(t, http.StatusOK)
	late.equals(t, nil, "volumeAttachments", 0, "id")
	late.equals(t, false, "volumeAttachments", 0, "delete_on_termination")
	late.has(t, []any{"volumeAttachments", 0}, "attachment_id", "bdm_uuid", "tag")
	c.member.nova("2.3").get(t, "compute", "/servers/"+server).want(t, http.StatusOK).
		equals(t, volume, "server", "os-extended-volumes:volumes_attached", 0, "id")
	decoded, err := volumeattach.Get(t.Context(), c.client(t, c.Member, "compute"), server, volume).Extract()
	if err != nil || decoded.VolumeID != volume {
		t.Errorf("gophercloud reads the attachment as %+v, %v", decoded, err)
	}
	testInUse(t, c, volume)
	c.member.delete(t, "compute", path+"/"+volume).want(t, http.StatusAccepted)
	c.member.until(t, "volumev3", "/volumes/"+volume, volumeStatus, "available", "in-use", "detaching")
	c.member.eventually(t, "the attachment goes", func() bool {
		return c.member.get(t, "compute", path+"/"+volume).want(t, http.StatusOK, http.StatusNotFound).status == http.StatusNotFound
	})
	c.member.get(t, "compute", path+"/"+volume).refused(t, http.StatusNotFound, "itemNotFound")
	c.member.delete(t, "compute", path+"/"+volume).refused(t, http.StatusNotFound, "itemNotFound")
}

// testInUse sees what a volume in use allows: not without force.
func testInUse(t *testing.T, c *cloud, volume string) {
	path := "/volumes/" + volume
	c.member.delete(t, "volumev3", path).refused(t, http.StatusBadRequest, "badRequest")
	c.member.post(t, "volumev3", path+"/action", object{"os-volume_upload_image": object{
		"image_name": c.name("in-use"), "disk_format": "raw", "container_format": "bare",
	}}).refused(t, http.StatusBadRequest, "badRequest")
	c.member.post(t, "volumev3", "/backups", object{"backup": object{"volume_id": volume}}).refused(t, http.StatusBadRequest, "badRequest")
	c.member.post(t, "volumev3", "/snapshots", object{"snapshot": object{"volume_id": volume}}).refused(t, http.StatusBadRequest, "badRequest")
	c.uploadVolume(t, volume, true)
	a := c.member.post(t, "volumev3", "/snapshots", object{"snapshot": object{"volume_id": volume, "name": c.name("forced"), "force": true}}).
		want(t, http.StatusAccepted)
	snapshot := "/snapshots/" + a.text("snapshot", "id")
	c.member.until(t, "volumev3", snapshot, []any{"snapshot", "status"}, "available", "creating")
	c.member.remove(t, "volumev3", snapshot)
	c.member.get(t, "volumev3", path).want(t, http.StatusOK).equals(t, "in-use", "volume", "status")
}

func testServerPower(t *testing.T, c *cloud, path string) {
	s := c.member
	s.post(t, "compute", path+"/action", object{"os-start": nil}).refused(t, http.StatusConflict, "conflictingRequest")
	s.post(t, "compute", path+"/action", object{"no-such": nil}).refused(t, http.StatusBadRequest, "badRequest")
	s.post(t, "compute", path+"/action", object{"os-stop": nil}).want(t, http.StatusAccepted)
	s.until(t, "compute", path, serverStatus, "SHUTOFF", "ACTIVE").equals(t, 4.0, "server", "OS-EXT-STS:power_state")
	s.post(t, "compute", path+"/action", object{"reboot": object{"type": "SOFT"}}).refused(t, http.StatusConflict, "conflictingRequest")
	s.post(t, "compute", path+"/action", object{"os-start": nil}).want(t, http.StatusAccepted)
	s.until(t, "compute", path, serverStatus, "ACTIVE", "SHUTOFF")
	actions := s.get(t, "compute", path+"/os-instance-actions").want(t, http.StatusOK)
	actions.equals(t, "start", "instanceActions", 0, "action")
	actions.dated(t, cinderTime, "instanceActions", 0, "start_time")
}

func testCreateImage(t *testing.T, c *cloud, path, base string, content []byte) {
	s := c.member.nova("2.45")
	a := s.post(t, "compute", path+"/action", object{"createImage": object{"name": c.name("copy"), "metadata": object{"k": "v"}}}).
		want(t, http.StatusAccepted)
	id := a.text("image_id")
	c.member.forget(t, "image", "/images/"+id)
	image := c.member.until(t, "image", "/images/"+id, []any{"status"}, "active", "queued", "saving")
	image.equals(t, base, "base_image_ref")
	image.equals(t, "snapshot", "image_type")
	image.equals(t, "v", "k")
	image.equals(t, path[len("/servers/"):], "instance_uuid")
	image.equals(t, float64(len(content)), "size")
	image.equals(t, "raw", "disk_format")
	body := c.member.get(t, "image", "/images/"+id+"/file").want(t, http.StatusOK).body
	if c.Difference("guest-writes") {
		first, last := firstDifference(body, content), len(content)
		for last > first && body[last-1] == content[last-1] {
			last--
		}
		if len(body) != len(content) || first == last || last-first > guestWrites {
			t.Errorf("the image of the server differs from [%d,%d), want at most %d bytes, and some", first, last, guestWrites)
		}
	} else if !bytes.Equal(body, content) {
		t.Error("the image of the server has other bytes than its root disk")
	}
	c.member.eventually(t, "the server has no task any more", func() bool {
		return c.member.get(t, "compute", path).want(t, http.StatusOK).at("server", "OS-EXT-STS:task_state") == nil
	})
}
