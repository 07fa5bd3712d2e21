package volumefreezer_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml/parser"
	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/openstack"
	"github.com/karbor/karbor/internal/testcloud/fabric"
	sim "github.com/karbor/karbor/internal/testcloud/freezer"
	"github.com/karbor/karbor/protection"
	"github.com/karbor/karbor/protection/protectiontest"
	"github.com/karbor/karbor/protection/volumefreezer"
)

func open(t *testing.T, options string) protection.Plugin {
	t.Helper()
	file, err := parser.ParseBytes([]byte(options), 0)
	if err != nil {
		t.Fatal(err)
	}
	p, err := volumefreezer.Plugin.Open(t.Context(), file.Docs[0].Body)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

const quick = "{poll_interval: 10ms, timeout: 2m}"

// site is a tenant of a cloud with Freezer.
type site struct{ *protectiontest.Tenant }

func newSite(t *testing.T) site {
	t.Helper()
	return site{protectiontest.NewTenant(t)}
}

// ask sends a request to Freezer in the tenant's name.
func (s site) ask(t *testing.T, method, path string, body any) map[string]any {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	client, err := openstack.Backup(ctx, s.Cloud)
	if err != nil {
		t.Fatal(err)
	}
	answer := map[string]any{}
	url := client.ServiceURL(s.Cloud.ProjectID(), path)
	switch method {
	case http.MethodGet:
		_, err = client.Get(ctx, url, &answer, nil)
	case http.MethodPost:
		_, err = client.Post(ctx, url, body, &answer, nil)
	default:
		_, err = client.Delete(ctx, url, nil)
	}
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	return answer
}

// all gives what Freezer has of a kind.
func (s site) all(t *testing.T, kind string) []map[string]any {
	t.Helper()
	list, _ := s.ask(t, http.MethodGet, kind+"?limit=1000", nil)[kind].([]any)
	out := make([]map[string]any, 0, len(list))
	for _, one := range list {
		members, _ := one.(map[string]any)
		out = append(out, members)
	}
	return out
}

// inventory lists all that the project has, also in Freezer.
func (s site) inventory(t *testing.T) []string {
	t.Helper()
	lines := s.Inventory(t)
	for kind, id := range map[string]string{"jobs": "job_id", "actions": "action_id", "backups": "backup_id"} {
		for _, one := range s.all(t, kind) {
			lines = append(lines, fmt.Sprintf("Freezer's %s %v", kind, one[id]))
		}
	}
	slices.Sort(lines)
	return lines
}

func (s site) disk(t *testing.T) *protectiontest.Disk {
	t.Helper()
	d := s.Disk(t)
	d.Source.Options = map[string]any{"backup_name": "nightly", "description": "made each night", "container": "nights"}
	d.Source.Lose = func(t *testing.T) { d.RemoveMade(t, "backups") }
	return d
}

func TestVolumeComesBackOfFreezersBackup(t *testing.T) {
	s := newSite(t)
	protectiontest.Run(t, protectiontest.Case{
		Plugin: open(t, quick), Type: karbor.VolumeType, Session: s.Session, Inventory: s.inventory, Installation: "here", Keeps: 2, ChangesOnly: true,
		Make: func(t *testing.T) protectiontest.Source { return s.disk(t).Source },
		// Freezer's records are no resources of the cloud, and Cinder makes its volume of a backup with a name alone.
		Markless: func(line string) bool {
			return strings.HasPrefix(line, "Freezer's ") || strings.HasPrefix(line, "volumes ") && strings.Contains(line, " karbor-")
		},
	})
}

// checkpoint is a bank with one checkpoint of a volume.
type checkpoint struct {
	*protectiontest.Single
	site   site
	plugin protection.Plugin
	owner  string
}

func begin(s site, p protection.Plugin, from *protectiontest.Disk) *checkpoint {
	return &checkpoint{Single: protectiontest.NewSingle(p, from.Source), site: s, plugin: p}
}

func (c *checkpoint) protect(t *testing.T, parameters map[string]any) (*protection.Call, error) {
	t.Helper()
	call := c.Begin(c.site.Cloud, nil, parameters)
	c.owner = call.Owner
	return call, c.Run(t, c.plugin.Hooks(karbor.Protect, karbor.VolumeType).Main, call)
}

func (c *checkpoint) mustProtect(t *testing.T) {
	t.Helper()
	if _, err := c.protect(t, nil); err != nil {
		t.Fatal(err)
	}
}

func (c *checkpoint) remove(t *testing.T) error {
	t.Helper()
	call := c.Begin(c.site.Cloud, nil, nil)
	call.Owner = c.owner
	return c.Run(t, c.plugin.Hooks(karbor.Delete, karbor.VolumeType).Main, call)
}

func (c *checkpoint) restore(t *testing.T, parameters map[string]any) (*protection.Call, error) {
	t.Helper()
	call := c.Begin(c.site.Cloud, nil, parameters)
	return call, c.Run(t, c.plugin.Hooks(karbor.RestoreOperation, karbor.VolumeType).Main, call)
}

func (c *checkpoint) verify(t *testing.T) error {
	t.Helper()
	return c.Run(t, c.plugin.Hooks(karbor.Verify, karbor.VolumeType).Main, c.Begin(c.site.Cloud, nil, nil))
}

func TestRestoredBytesAreThoseOfTheBackupAndTheVolumeIsAsAsked(t *testing.T) {
	s, p := newSite(t), open(t, quick)
	d := s.disk(t)
	sum := s.Sum(t, d.ID)
	c := begin(s, p, d)
	c.mustProtect(t)
	d.Source.Destroy(t)
	asked := map[string]any{"restore_name": "new", "restore_description": "again", "restore_volume_types": map[string]any{"*": "multiattach"}}
	if _, err := c.restore(t, asked); err != nil {
		t.Fatal(err)
	}
	now := s.Show(t, "volume", "volumes/"+c.Result().ID, "volume")
	if now["name"] != "new" || now["description"] != "again" || now["volume_type"] != "multiattach" || len(c.Result().Mapped) != 1 {
		t.Errorf("the volume is %v; mapped: %q", now, c.Result().Mapped)
	}
	if got := s.Sum(t, c.Result().ID); got != sum {
		t.Error("the restored volume has other bytes")
	}
}

func TestTwoRestoresAtOnceHaveEachItsOwnVolume(t *testing.T) {
	s, p := newSite(t), open(t, quick)
	c := begin(s, p, s.disk(t))
	c.mustProtect(t)
	ids := map[string]bool{}
	for range 2 {
		if _, err := c.restore(t, nil); err != nil {
			t.Fatal(err)
		}
		ids[c.Result().ID] = true
	}
	if len(ids) != 2 {
		t.Errorf("two restores made %v", ids)
	}
}

func TestBackupsOfOthersAreLeftAlone(t *testing.T) {
	s, p := newSite(t), open(t, quick)
	d := s.disk(t)
	own := s.Make(t, "volume", "backups", "backup", map[string]any{"volume_id": d.ID, "name": "nightly"})
	s.Await(t, "volume", fmt.Sprintf("backups/%v", own["id"]), "backup", "available")
	first, second := begin(s, p, d), begin(s, p, d)
	first.mustProtect(t)
	second.mustProtect(t)
	if err := first.remove(t); err != nil {
		t.Fatal(err)
	}
	if left, known := d.Made(t, "backups"), s.all(t, "backups"); len(left) != 2 || len(known) != 1 {
		t.Errorf("there are left: %v; Freezer knows %v", left, known)
	}
	if err := second.verify(t); err != nil {
		t.Errorf("verifying the other checkpoint gives %v", err)
	}
}

func TestBackupThatIncrementalOnesStandOnIsNotDeletedAndTheTenantIsTold(t *testing.T) {
	s, p := newSite(t), open(t, quick)
	d := s.disk(t)
	c := begin(s, p, d)
	c.mustProtect(t)
	child := s.Make(t, "volume", "backups", "backup", map[string]any{"volume_id": d.ID, "name": "mine", "incremental": true})
	s.Await(t, "volume", fmt.Sprintf("backups/%v", child["id"]), "backup", "available")
	if err := c.remove(t); err == nil || karbor.KindOf(err) != karbor.Conflict || !strings.Contains(err.Error(), "incremental backups stand on it") {
		t.Errorf("got %v", err)
	}
	s.Remove(t, "volume", fmt.Sprintf("backups/%v", child["id"]), "backup")
	if err := c.remove(t); err != nil {
		t.Error(err)
	}
}

func TestRecordThatWasDeletedInFreezerIsFoundByVerifying(t *testing.T) {
	s, p := newSite(t), open(t, quick)
	c := begin(s, p, s.disk(t))
	c.mustProtect(t)
	if err := c.verify(t); err != nil {
		t.Fatal(err)
	}
	for _, one := range s.all(t, "backups") {
		s.ask(t, http.MethodDelete, fmt.Sprintf("backups/%v", one["backup_id"]), nil)
	}
	if err := c.verify(t); err == nil || !strings.Contains(err.Error(), "Freezer has no record") {
		t.Errorf("got %v", err)
	}
	// The bytes are there: they come back.
	if _, err := c.restore(t, nil); err != nil {
		t.Error(err)
	}
}

func TestWhatGoesWrongIsToldAndNothingIsLeft(t *testing.T) {
	for name, test := range map[string]struct {
		options string
		fault   fabric.Fault
		want    string
	}{
		"the agent fails":      {quick, fabric.Fault{Service: "freezer", Transition: "job.run", Fail: true}, `ended with the result "fail": the log of the scheduler ` + sim.Scheduler},
		"no scheduler answers": {quick, fabric.Fault{Service: "freezer", Transition: "job.start", Delay: fabric.Duration(time.Hour)}, "has not ended within 2m0s: is the scheduler " + sim.Scheduler + " running?"},
		"Cinder fails":         {quick, fabric.Fault{Service: "cinder", Transition: "backup.create", Fail: true}, `went into state "error" in the cloud`},
		"Cinder has no room":   {quick, fabric.Fault{Service: "cinder", Method: http.MethodPost, Path: "/backups$", Status: http.StatusRequestEntityTooLarge}, `ended with the result "fail"`},
		"Freezer refuses":      {quick, fabric.Fault{Service: "freezer", Method: http.MethodPost, Path: "/jobs$", Status: http.StatusForbidden, Message: "Policy doesn't allow it"}, "asking Freezer to backup volume"},
		"an unknown scheduler": {"{poll_interval: 10ms, timeout: 1m, scheduler_client_id: none}", fabric.Fault{Service: "none"}, "Client not found with ID none"},
	} {
		t.Run(name, func(t *testing.T) {
			s, way, p := newSite(t), &protectiontest.Pretending{}, open(t, test.options)
			c := begin(site{s.Through(t, &http.Client{Transport: way})}, p, s.disk(t))
			before := s.inventory(t)
			s.Fault(t, test.fault)
			if test.fault.Transition == "job.start" {
				way.Stay("/jobs/", func(map[string]any) {})
			}
			call, err := c.protect(t, nil)
			way.Stop()
			if err == nil || karbor.IsTransient(err) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v; want %s", err, test.want)
			}
			if err := c.Run(t, open(t, quick).Hooks(karbor.Protect, karbor.VolumeType).Undo, call); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(before, s.inventory(t)); diff != "" {
				t.Errorf("it left (-before +now):\n%s", diff)
			}
		})
	}
}

func TestJobIsToldToEndAgainIfFreezerDidNotHear(t *testing.T) {
	s, way := newSite(t), &protectiontest.Pretending{}
	c := begin(site{s.Through(t, &http.Client{Transport: way})}, open(t, quick), s.disk(t))
	s.Fault(t, fabric.Fault{Service: "freezer", Transition: "job.start", Delay: fabric.Duration(time.Hour)})
	way.Stay("/jobs/", func(map[string]any) {})
	call, err := c.protect(t, nil)
	if err == nil {
		t.Fatal("there is a backup that no scheduler has made")
	}
	way.Stop()
	s.Fault(t, fabric.Fault{Service: "freezer", Method: http.MethodPost, Path: "/event$", Status: http.StatusServiceUnavailable, Times: 1})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute) // a job that was not told goes on for longer
	defer cancel()
	if err := open(t, quick).Hooks(karbor.Protect, karbor.VolumeType).Undo(ctx, call); err != nil {
		t.Error(err)
	}
}

func TestBackupThatStaysInCreationEndsTheWait(t *testing.T) {
	s, way := newSite(t), &protectiontest.Pretending{}
	c := begin(site{s.Through(t, &http.Client{Transport: way})}, open(t, "{poll_interval: 10ms, timeout: 7m}"), s.disk(t))
	s.Fault(t, fabric.Fault{Service: "cinder", Transition: "backup.create", Delay: fabric.Duration(time.Hour)})
	way.Stay("/backups/", func(map[string]any) {})
	_, err := c.protect(t, nil)
	protectiontest.ExpectOvertime(t, err, "7m0s", "backup", `"creating"`)
}

func TestFailedRestoreIsToldAndTheVolumeGoes(t *testing.T) {
	for name, test := range map[string]struct {
		fault fabric.Fault
		want  string
	}{
		"the agent fails": {fabric.Fault{Service: "freezer", Transition: "job.run", Fail: true}, `ended with the result "fail"`},
		"Cinder fails":    {fabric.Fault{Service: "cinder", Transition: "backup.restore", Fail: true}, `went into state "error_restoring"`},
	} {
		t.Run(name, func(t *testing.T) {
			s, p := newSite(t), open(t, quick)
			c := begin(s, p, s.disk(t))
			c.mustProtect(t)
			before := s.inventory(t)
			s.Fault(t, test.fault)
			call, err := c.restore(t, nil)
			if err == nil || karbor.IsTransient(err) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v; want %s", err, test.want)
			}
			if err := c.Run(t, p.Hooks(karbor.RestoreOperation, karbor.VolumeType).Undo, call); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(before, s.inventory(t)); diff != "" {
				t.Errorf("it left (-before +now):\n%s", diff)
			}
		})
	}
}

func TestSchedulerThatCanDoTheJobIsChosenAndACentralOneLast(t *testing.T) {
	s, p := newSite(t), open(t, quick)
	s.ask(t, http.MethodPost, "clients", map[string]any{"client_id": "a-central", "is_central": true})
	s.ask(t, http.MethodPost, "clients", map[string]any{"client_id": "a-files-only", "supported_modes": []string{"fs"}})
	c := begin(s, p, s.disk(t))
	s.Fault(t, fabric.Fault{Service: "freezer", Transition: "job.run", Fail: true})
	if _, err := c.protect(t, nil); err == nil || !strings.Contains(err.Error(), "scheduler "+sim.Scheduler) {
		t.Errorf("the job went to another: %v", err)
	}
	s.ask(t, http.MethodDelete, "clients/"+sim.Scheduler, nil)
	if _, err := begin(s, p, s.disk(t)).protect(t, nil); err == nil || !strings.Contains(err.Error(), "scheduler a-central") {
		t.Errorf("without one of its own the job went to another: %v", err)
	}
	s.ask(t, http.MethodDelete, "clients/a-central", nil)
	if _, err := begin(s, p, s.disk(t)).protect(t, nil); err == nil || karbor.KindOf(err) != karbor.Conflict || !strings.Contains(err.Error(), "the project has none") {
		t.Errorf("without any: %v", err)
	}
}

func TestOptionsThatFreezerCanNotTakeAreRefused(t *testing.T) {
	for _, options := range []string{"{container: a/b}", "{container: ''}", "{container: '{x}'}", "{storage: ftp}", "{timeout: 0s}"} {
		file, err := parser.ParseBytes([]byte(options), 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := volumefreezer.Plugin.Open(t.Context(), file.Docs[0].Body); err == nil {
			t.Errorf("%s is taken", options)
		}
	}
}
