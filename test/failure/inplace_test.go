package failure

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor/internal/testcloud/fabric"
)

// machine is a server that runs, with two volumes besides its disk.
type machine struct {
	*tenant
	server  string
	volumes []resource
}

// machine makes one: the volumes are at /dev/vdb and /dev/vdc.
func (u *tenant) machine() *machine {
	u.t.Helper()
	first := u.server("db")
	m := &machine{tenant: u, server: first.ID}
	for _, a := range m.attachments() {
		m.volumes = append(m.volumes, resource{"OS::Cinder::Volume", a.VolumeID, "db-data"})
	}
	second := u.volume("db-log")
	u.made("/compute/v2.1/servers/"+m.server+"/os-volume_attachments", "volumeAttachment", map[string]any{"volumeId": second.ID})
	m.volumes = append(m.volumes, second)
	m.attached("in-use")
	return m
}

type volumeAttachment struct {
	VolumeID string `json:"volumeId"`
	Device   string `json:"device"`
}

// attachments gives what the server has, in the order of the devices.
// at gives where a volume is.
func (m *machine) attachments() []volumeAttachment {
	m.t.Helper()
	a := m.cloud.Do(m.t, m.token, "GET", "/compute/v2.1/servers/"+m.server+"/os-volume_attachments", nil)
	var list struct {
		VolumeAttachments []volumeAttachment `json:"volumeAttachments"`
	}
	if err := json.Unmarshal(a.Body, &list); err != nil {
		m.t.Fatalf("the attachments: %d %s", a.Status, a.Body)
	}
	slices.SortFunc(list.VolumeAttachments, func(a, b volumeAttachment) int { return strings.Compare(a.Device, b.Device) })
	return list.VolumeAttachments
}

// at gives where a volume is.
func (m *machine) at(id string) string {
	return "/volume/v3/" + m.user.ProjectID + "/volumes/" + id
}

// attached waits until the volumes have a state.
// at gives where a volume is.
func (m *machine) attached(state string) {
	m.t.Helper()
	for _, v := range m.volumes {
		await(m.t, "volume "+v.ID+" to be "+state, func() bool {
			return strings.Contains(string(m.cloud.Do(m.t, m.token, "GET", m.at(v.ID), nil).Body), `"status":"`+state+`"`)
		})
	}
}

// asked gives how often the server was asked for an action.
func (m *machine) asked(action string) (n int) {
	m.t.Helper()
	a := m.cloud.Do(m.t, m.token, "GET", "/compute/v2.1/servers/"+m.server+"/os-instance-actions", nil)
	var list struct {
		Actions []struct{ Action string } `json:"instanceActions"`
	}
	if err := json.Unmarshal(a.Body, &list); err != nil || a.Status != http.StatusOK {
		m.t.Fatalf("the actions: %d %s", a.Status, a.Body)
	}
	for _, one := range list.Actions {
		if one.Action == action {
			n++
		}
	}
	return n
}

// act asks for an action of a volume, in the microversion that overwrites.
func (m *machine) act(id string, body map[string]any) []byte {
	m.t.Helper()
	a := m.cloud.Do(m.t, m.token, "POST", m.at(id)+"/action", body, "OpenStack-API-Version", "volume 3.68")
	if a.Status >= 300 {
		m.t.Fatalf("%v: %d %s", body, a.Status, a.Body)
	}
	return a.Body
}

// digests gives those of the volumes' bytes.
func (m *machine) digests() (sums []string) {
	m.t.Helper()
	for _, v := range m.volumes {
		var made struct {
			Upload struct {
				ID string `json:"image_id"`
			} `json:"os-volume_upload_image"`
		}
		body := m.act(v.ID, map[string]any{"os-volume_upload_image": map[string]any{"image_name": "look", "disk_format": "raw", "container_format": "bare", "force": true}})
		if err := json.Unmarshal(body, &made); err != nil {
			m.t.Fatal(err)
		}
		var image struct {
			Status string
			Hash   string `json:"os_hash_value"`
		}
		path := "/image/v2/images/" + made.Upload.ID
		await(m.t, "the bytes of volume "+v.ID, func() bool {
			a := m.cloud.Do(m.t, m.token, "GET", path, nil)
			return json.Unmarshal(a.Body, &image) == nil && image.Status == "active"
		})
		m.cloud.Do(m.t, m.token, "DELETE", path, nil)
		sums = append(sums, image.Hash)
	}
	m.attached("in-use")
	return sums
}

// fill puts other bytes into the volumes.
func (m *machine) fill() {
	m.t.Helper()
	attachments := "/compute/v2.1/servers/" + m.server + "/os-volume_attachments"
	for _, v := range m.volumes {
		m.cloud.Do(m.t, m.token, "DELETE", attachments+"/"+v.ID, nil)
	}
	m.attached("available")
	for i, v := range m.volumes {
		image := m.image(fmt.Sprint("fill ", i), 1<<20)
		m.act(v.ID, map[string]any{"os-reimage": map[string]any{"image_id": image.ID}})
		m.attached("available")
		m.cloud.Do(m.t, m.token, "DELETE", "/image/v2/images/"+image.ID, nil)
	}
	for _, v := range m.volumes {
		m.made(attachments, "volumeAttachment", map[string]any{"volumeId": v.ID})
	}
	m.attached("in-use")
}

// overwrite restores the volumes of a checkpoint in place, and gives the restore.
func (m *machine) overwrite(checkpoint string) map[string]any {
	m.t.Helper()
	a := m.inProof("POST", "/restores", fmt.Sprintf(`{"restore": {"provider_id": %q, "checkpoint_id": %q, "parameters": {}, "in_place": true}}`, bankProvider, checkpoint))
	made, _ := a.body["restore"].(map[string]any)
	id, _ := made["id"].(string)
	if a.status != http.StatusOK {
		m.t.Fatalf("restoring in place: %d %s", a.status, a.text)
	}
	m.restored(id)
	return m.inProof("GET", "/restores/"+id, "").body["restore"].(map[string]any)
}

// standing compares the server and its volumes with how they were.
func (m *machine) standing(t *testing.T, what string, devices []volumeAttachment, stops int, sums []string) {
	t.Helper()
	m.active(m.server)
	if diff := cmp.Diff(devices, m.attachments()); diff != "" {
		t.Errorf("%s the volumes are at other devices (-want +got):\n%s", what, diff)
	}
	if stopped, started := m.asked("stop"), m.asked("start"); stopped != stops || started != stops {
		t.Errorf("%s the server was stopped %d times and started %d times in all, want %d", what, stopped, started, stops)
	}
	if diff := cmp.Diff(sums, m.digests()); diff != "" {
		t.Errorf("%s the volumes have other bytes (-want +got):\n%s", what, diff)
	}
}

// TestTwoVolumesOfARunningServerAreOverwrittenAndThatIsUndone restores both in place, brings
// back what there was by the safety checkpoint, and has a third restore fail in the end.
//
//karbor:tries in-place,undo-in-place of volumeglance
func TestTwoVolumesOfARunningServerAreOverwrittenAndThatIsUndone(t *testing.T) {
	if testing.Short() {
		t.Skip("it moves many GiB")
	}
	s := newSite(t)
	m := s.tenant("demo").machine()
	m.fill()
	first, devices := m.digests(), m.attachments()
	cp := m.kept(bankProvider, m.volumes...)
	m.fill()
	second, before := m.digests(), s.idle()
	if len(devices) != 2 || first[0] == first[1] || first[0] == second[0] || first[1] == second[1] {
		t.Fatalf("the volumes are %v, with %q and then %q", devices, first, second)
	}

	// The first volume takes longer, so that the second is done before it.
	slow := fabric.Fault{Service: "cinder", Method: "POST", Path: m.volumes[0].ID + "/action$", Delay: fabric.Duration(5e8)}
	s.fault(slow)
	r := m.overwrite(cp)
	if r["status"] != "success" {
		t.Fatalf("the restore is %v", r)
	}
	m.standing(t, "after the restore", devices, 1, first)
	safety, _ := r["safety_checkpoint_id"].(string)
	undone := m.overwrite(safety)
	if undone["status"] != "success" {
		t.Fatalf("the undo is %v", undone)
	}
	m.standing(t, "after the undo", devices, 2, second)
	s.same(t, before)

	// The second one can't be overwritten: both get back what they had.
	s.cloud.Faults().Clear()
	s.fault(fabric.Fault{Service: "glance", Method: "PUT", Path: ofBytes, Status: 413, After: 1})
	failed := m.overwrite(cp)
	s.cloud.Faults().Clear()
	if failed["status"] != "fail" {
		t.Fatalf("the restore that can't be is %v", failed)
	}
	m.standing(t, "after the failure", devices, 3, second)
	s.same(t, before)
}
