package cinder_test

import (
	"strings"
	"testing"

	"github.com/gophercloud/gophercloud/v2/openstack/blockstorage/v3/backups"
	"github.com/gophercloud/gophercloud/v2/openstack/blockstorage/v3/volumes"
)

func TestVolumesOfAnotherProjectAreNotThere(t *testing.T) {
	b := start(t)
	v := b.volume(t, volumes.CreateOpts{Size: 1})
	snapshot := b.snapshot(t, v.ID)
	backup := b.backup(t, backups.CreateOpts{VolumeID: v.ID})
	other := b.Client(t, "other").TokenID
	base := "/volume/v3/" + b.Projects().Other
	for _, path := range []string{"/volumes/" + v.ID, "/snapshots/" + snapshot, "/backups/" + backup.ID, "/volumes/" + v.ID + "/metadata"} {
		if a := b.Do(t, other, "GET", base+path, nil); a.Status != 404 {
			t.Errorf("GET %s: %d", path, a.Status)
		}
	}
	for path, body := range map[string]string{
		"/volumes": `{"volume":{"source_volid":"` + v.ID + `"}}`, "/snapshots": `{"snapshot":{"volume_id":"` + v.ID + `"}}`,
		"/backups": `{"backup":{"volume_id":"` + v.ID + `"}}`, "/backups/" + backup.ID + "/restore": `{"restore":{}}`,
		"/volumes/" + v.ID + "/action": `{"os-extend":{"new_size":3}}`,
	} {
		if a := b.Do(t, other, "POST", base+path, strings.NewReader(body)); a.Status != 404 {
			t.Errorf("POST %s: %d %s", path, a.Status, a.Body)
		}
	}
	for _, path := range []string{"/volumes/detail?all_tenants=1", "/snapshots/detail", "/backups/detail"} {
		if a := b.Do(t, other, "GET", base+path, nil); a.Status != 200 || strings.Contains(string(a.Body), `"id"`) {
			t.Errorf("GET %s: %d %s", path, a.Status, a.Body)
		}
	}
	admin := b.Do(t, b.Client(t, "admin").TokenID, "GET", "/volume/v3/"+b.Projects().Admin+"/volumes/detail?all_tenants=1", nil)
	if !strings.Contains(string(admin.Body), v.ID) {
		t.Errorf("the administrator sees %s", admin.Body)
	}
	reader := b.Client(t, "demo-reader").TokenID
	if a := b.Do(t, reader, "DELETE", "/volume/v3/"+b.Projects().Demo+"/volumes/"+v.ID, nil); a.Status != 403 {
		t.Errorf("a reader's delete: %d", a.Status)
	}
}

func TestListsFilterSortAndPage(t *testing.T) {
	b := start(t)
	for _, o := range []volumes.CreateOpts{{Size: 2, Name: "b", Metadata: map[string]string{"k": "v"}}, {Size: 1, Name: "a"}, {Size: 3, Name: "c", Metadata: map[string]string{"k": "w"}}} {
		b.volume(t, o)
	}
	for _, c := range []struct {
		opts volumes.ListOpts
		want string
	}{
		{volumes.ListOpts{}, "c a b"}, {volumes.ListOpts{Sort: "size:asc"}, "a b c"}, {volumes.ListOpts{Sort: "name:desc", Limit: 1}, "c b a"},
		{volumes.ListOpts{Name: "a"}, "a"}, {volumes.ListOpts{Metadata: map[string]string{"k": "v"}}, "b"},
		{volumes.ListOpts{Status: "error"}, ""}, {volumes.ListOpts{Limit: 2}, "c a b"},
	} {
		pages, err := volumes.List(b.cinder, c.opts).AllPages(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		list, err := volumes.ExtractVolumes(pages)
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, v := range list {
			names = append(names, v.Name)
		}
		if got := strings.Join(names, " "); got != c.want {
			t.Errorf("%+v: %q, not %q", c.opts, got, c.want)
		}
	}
	b.refused(t, "GET", "/volumes?marker=none", "", 404, "Volume none could not be found")
	b.refused(t, "GET", "/volumes?sort=odd", "", 400, "invalid")
}

func TestQuotasBoundAProject(t *testing.T) {
	b := start(t)
	demo := b.Projects().Demo
	b.Quotas().Set(demo, "volumes", 1)
	b.Quotas().Set(demo, "gigabytes", 3)
	b.Quotas().Set(demo, "backups", 0)
	b.refused(t, "POST", "/volumes", `{"volume":{"size":4}}`, 413, "VolumeSizeExceedsAvailableQuota")
	v := b.volume(t, volumes.CreateOpts{Size: 1})
	b.refused(t, "POST", "/volumes", `{"volume":{"size":1}}`, 413, "VolumeLimitExceeded")
	b.refused(t, "POST", "/backups", `{"backup":{"volume_id":"`+v.ID+`"}}`, 413, "BackupLimitExceeded")
	b.refused(t, "POST", "/volumes/"+v.ID+"/action", `{"os-extend":{"new_size":4}}`, 413, "VolumeSizeExceedsAvailableQuota")
	if a := b.do(t, "POST", "/volumes/"+v.ID+"/action", `{"os-extend":{"new_size":3}}`); a.Status != 202 {
		t.Errorf("%d %s", a.Status, a.Body)
	}
	if got := b.await(t, v.ID, "available"); got.Size != 3 {
		t.Errorf("the volume has %d GiB", got.Size)
	}
	a := b.do(t, "GET", "/os-quota-sets/"+demo+"?usage=true", "")
	if !strings.Contains(string(a.Body), `"gigabytes":{"in_use":3,"limit":3,"reserved":0}`) {
		t.Errorf("%s", a.Body)
	}
}

func TestMetadataIsAddedReplacedAndRemoved(t *testing.T) {
	b := start(t)
	v := b.volume(t, volumes.CreateOpts{Size: 1, Metadata: map[string]string{"a": "1"}})
	path := "/volumes/" + v.ID + "/metadata"
	for _, step := range []struct {
		method, path, body, want string
		status                   int
	}{
		{"POST", path, `{"metadata":{"b":"2"}}`, `{"metadata":{"a":"1","b":"2"}}`, 200},
		{"PUT", path + "/b", `{"meta":{"b":"3"}}`, `{"meta":{"b":"3"}}`, 200},
		{"DELETE", path + "/a", "", "", 200},
		{"DELETE", path + "/a", "", "has no metadata with key a", 404},
		{"PUT", path, `{"metadata":{"c":"4"}}`, `{"metadata":{"c":"4"}}`, 200},
		{"GET", path + "/c", "", `{"meta":{"c":"4"}}`, 200},
		{"GET", path, "", `{"metadata":{"c":"4"}}`, 200},
	} {
		if a := b.do(t, step.method, step.path, step.body); a.Status != step.status || !strings.Contains(string(a.Body), step.want) {
			t.Errorf("%+v: %d %s", step, a.Status, a.Body)
		}
	}
}

func TestQuotasBoundAVolumeType(t *testing.T) {
	b := start(t)
	demo := b.Projects().Demo
	b.Quotas().Set(demo, "snapshots_standard", 0)
	b.Quotas().Set(demo, "gigabytes_multiattach", 1)
	v := b.volume(t, volumes.CreateOpts{Size: 2})
	b.refused(t, "POST", "/snapshots", `{"snapshot":{"volume_id":"`+v.ID+`"}}`, 413, "snapshots_standard")
	b.refused(t, "POST", "/volumes", `{"volume":{"size":2,"volume_type":"multiattach"}}`, 413, "gigabytes_multiattach")
	a := b.do(t, "GET", "/os-quota-sets/"+demo+"?usage=true", "")
	for _, want := range []string{
		`"gigabytes_standard":{"in_use":2,"limit":-1,"reserved":0}`, `"snapshots_standard":{"in_use":0,"limit":0,"reserved":0}`, `"volumes_luks":{"in_use":0,"limit":-1,"reserved":0}`,
	} {
		if !strings.Contains(string(a.Body), want) {
			t.Errorf("%s lacks %s", a.Body, want)
		}
	}
}
