package contract

import (
	"encoding/json"
	"net/http"
	"testing"
)

func testVolumeServer(t *testing.T, c *cloud) {
	volume := c.volume(t, "boot", object{"imageRef": c.upload(t, "boot", noise(1<<20))})
	port := c.make(t, "/ports", "port", object{"network_id": first(c.net(t, "boot", "10.15.0.0/24")), "name": c.name("boot")}).
		text("port", "id")
	id := c.server(t, "from-volume", object{"networks": []object{{"port": port}}, "block_device_mapping_v2": []object{
		{"boot_index": 0, "uuid": volume, "source_type": "volume", "destination_type": "volume"},
		{"boot_index": -1, "source_type": "blank", "destination_type": "volume", "volume_size": 1, "delete_on_termination": true},
	}})
	path := "/servers/" + id
	a := c.member.nova("2.93").get(t, "compute", path).want(t, http.StatusOK)
	a.equals(t, "", "server", "image")
	a.equals(t, volume, "server", "os-extended-volumes:volumes_attached", 0, "id")
	a.equals(t, false, "server", "os-extended-volumes:volumes_attached", 0, "delete_on_termination")
	a.equals(t, true, "server", "os-extended-volumes:volumes_attached", 1, "delete_on_termination")
	blank := a.text("server", "os-extended-volumes:volumes_attached", 1, "id")
	c.member.get(t, "volumev3", "/volumes/"+volume).want(t, http.StatusOK).equals(t, "in-use", "volume", "status")
	c.member.get(t, "network", "/ports/"+port).want(t, http.StatusOK).equals(t, id, "port", "device_id")
	c.member.delete(t, "compute", path+"/os-volume_attachments/"+volume).want(t, http.StatusBadRequest, http.StatusForbidden)
	c.member.nova("2.52").post(t, "compute", "/servers", object{"server": object{"name": c.name("second"), "flavorRef": c.flavor(t),
		"networks": "none", "block_device_mapping_v2": []object{{"boot_index": 0, "uuid": volume, "source_type": "volume",
			"destination_type": "volume"}}}}).refused(t, http.StatusBadRequest, "badRequest")
	testVolumeServerImage(t, c, path)
	c.member.delete(t, "compute", path).want(t, http.StatusNoContent)
	c.member.untilGone(t, "compute", path, serverStatus, "ACTIVE", "DELETED")
	c.member.until(t, "volumev3", "/volumes/"+volume, volumeStatus, "available", "in-use", "detaching").
		equals(t, nil, "volume", "attachments", 0)
	c.member.untilGone(t, "volumev3", "/volumes/"+blank, volumeStatus, "in-use", "available", "detaching", "deleting")
	c.member.get(t, "network", "/ports/"+port).want(t, http.StatusOK).equals(t, "", "port", "device_id")
}

func first(a, _ string) string { return a }

// testVolumeServerImage looks at the image of a server that boots from a
// volume: it has no bytes, but names snapshots.
func testVolumeServerImage(t *testing.T, c *cloud, path string) {
	id := c.member.nova("2.45").post(t, "compute", path+"/action", object{"createImage": object{"name": c.name("of-volume")}}).
		want(t, http.StatusAccepted).text("image_id")
	a := c.member.until(t, "image", "/images/"+id, []any{"status"}, "active", "queued", "saving")
	var disks []object
	err := json.Unmarshal([]byte(a.text("block_device_mapping")), &disks)
	for _, d := range disks {
		snapshot, _ := d["snapshot_id"].(string)
		c.member.until(t, "volumev3", "/snapshots/"+snapshot, []any{"snapshot", "status"}, "available", "creating")
		c.member.remove(t, "volumev3", "/snapshots/"+snapshot)
	}
	c.member.remove(t, "image", "/images/"+id)
	if err != nil || len(disks) != 2 || disks[0]["source_type"] != "snapshot" {
		t.Errorf("the block device mapping of the image is %v, %v", disks, err)
	}
	a.equals(t, 0.0, "size")
	a.equals(t, "True", "bdm_v2")
	c.member.eventually(t, "the server has no task any more", func() bool {
		return c.member.get(t, "compute", path).want(t, http.StatusOK).at("server", "OS-EXT-STS:task_state") == nil
	})
}

// testServerMakesVolume lets Nova make the boot volume of an image, and
// remove it with the server.
func testServerMakesVolume(t *testing.T, c *cloud) {
	image := c.upload(t, "to-volume", noise(100_000))
	id := c.server(t, "makes-volume", object{"networks": "none", "block_device_mapping_v2": []object{{
		"boot_index": 0, "uuid": image, "source_type": "image", "destination_type": "volume", "volume_size": 1,
		"delete_on_termination": true,
	}}})
	a := c.member.nova("2.3").get(t, "compute", "/servers/"+id).want(t, http.StatusOK)
	volume := a.text("server", "os-extended-volumes:volumes_attached", 0, "id")
	c.member.get(t, "volumev3", "/volumes/"+volume).want(t, http.StatusOK).
		equals(t, image, "volume", "volume_image_metadata", "image_id")
	c.member.remove(t, "compute", "/servers/"+id)
	c.member.untilGone(t, "volumev3", "/volumes/"+volume, volumeStatus, "in-use", "available", "detaching", "deleting")
}

func testServerRefused(t *testing.T, c *cloud) {
	image := c.upload(t, "refused", noise(1000))
	missing, flavor := "00000000-0000-4000-8000-000000000000", c.flavor(t)
	blank := c.volume(t, "not-bootable", nil)
	for what, server := range map[string]object{
		"no name":            {"flavorRef": flavor, "imageRef": image, "networks": "none"},
		"no networks":        {"name": "x", "flavorRef": flavor, "imageRef": image},
		"unknown flavor":     {"name": "x", "flavorRef": "no-such", "imageRef": image, "networks": "none"},
		"unknown image":      {"name": "x", "flavorRef": flavor, "imageRef": missing, "networks": "none"},
		"no image":           {"name": "x", "flavorRef": flavor, "imageRef": "", "networks": "none"},
		"unknown network":    {"name": "x", "flavorRef": flavor, "imageRef": image, "networks": []object{{"uuid": missing}}},
		"unknown port":       {"name": "x", "flavorRef": flavor, "imageRef": image, "networks": []object{{"port": missing}}},
		"unknown key":        {"name": "x", "flavorRef": flavor, "imageRef": image, "networks": "none", "key_name": c.name("no")},
		"unknown group":      {"name": "x", "flavorRef": flavor, "imageRef": image, "networks": "none", "security_groups": []object{{"name": c.name("no")}}},
		"unknown zone":       {"name": "x", "flavorRef": flavor, "imageRef": image, "networks": "none", "availability_zone": c.name("no")},
		"unknown volume":     {"name": "x", "flavorRef": flavor, "networks": "none", "block_device_mapping_v2": bootFrom(missing)},
		"unbootable volume":  {"name": "x", "flavorRef": flavor, "networks": "none", "block_device_mapping_v2": bootFrom(blank)},
		"volume of no image": {"name": "x", "flavorRef": flavor, "networks": "none", "block_device_mapping_v2": []object{{"boot_index": 0, "uuid": missing, "source_type": "image", "destination_type": "volume", "volume_size": 1}}},
	} {
		t.Run(what, func(t *testing.T) {
			a := c.member.nova("2.52").post(t, "compute", "/servers", object{"server": server})
			if a.status == http.StatusAccepted {
				c.member.forget(t, "compute", "/servers/"+a.text("server", "id"))
			}
			a.refused(t, http.StatusBadRequest, "badRequest")
		})
	}
	many := object{"name": c.name("many"), "flavorRef": flavor, "imageRef": image, "networks": "none", "min_count": 5000}
	c.member.nova("2.52").post(t, "compute", "/servers", object{"server": many}).refused(t, http.StatusForbidden, "forbidden")
	c.member.get(t, "compute", "/servers/nonsense").refused(t, http.StatusNotFound, "itemNotFound")
	c.other.get(t, "compute", "/os-quota-sets/"+c.member.projectID).refused(t, http.StatusForbidden, "forbidden")
	c.member.get(t, "compute", "/os-quota-sets/"+c.member.projectID).want(t, http.StatusOK).has(t, []any{"quota_set"}, "instances", "cores", "ram")
	c.member.get(t, "compute", "/limits").want(t, http.StatusOK).has(t, []any{"limits", "absolute"}, "maxTotalInstances", "totalInstancesUsed")
	c.member.get(t, "compute", "/os-services").refused(t, http.StatusForbidden, "forbidden")
	nobody := &session{cloud: c, name: "nobody", endpoints: c.member.endpoints}
	nobody.get(t, "compute", "/servers").want(t, http.StatusUnauthorized)
}

func bootFrom(volume string) []object {
	return []object{{"boot_index": 0, "uuid": volume, "source_type": "volume", "destination_type": "volume"}}
}
