package dnszone_test

import (
	"fmt"
	"maps"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/examples/dnszone"
	"github.com/karbor/karbor/protection"
	"github.com/karbor/karbor/protection/protectiontest"
)

// expectSame compares a restored zone with the original. The order of the name servers means nothing.
func expectSame(t *testing.T, original, restored map[string]any, name string) {
	t.Helper()
	if fmt.Sprint(restored[name+" NS"]) == "" {
		t.Error("the zone has no name servers")
	}
	delete(original, name+" NS")
	delete(restored, name+" NS")
	if diff := cmp.Diff(original, restored); diff != "" {
		t.Errorf("the restored zone differs (-original +restored):\n%s", diff)
	}
}

// protected gives a checkpoint of a zone that is gone.
func protected(t *testing.T, c *cloud, p protection.Plugin) (*protectiontest.Single, protectiontest.Source) {
	t.Helper()
	return protectedWith(t, c, p, nil)
}

// protectedWith is protected for a zone with other members.
func protectedWith(t *testing.T, c *cloud, p protection.Plugin, members map[string]any) (*protectiontest.Single, protectiontest.Source) {
	t.Helper()
	source := c.source(t, nil)
	maps.Copy(c.zones[0].members, members)
	s := protectiontest.NewSingle(p, source)
	call := s.Begin(c.session(t, "alpha", http.DefaultClient), nil, nil)
	if err := s.Run(t, p.Hooks(karbor.Protect, dnszone.Type).Main, call); err != nil {
		t.Fatal(err)
	}
	source.Destroy(t)
	return s, source
}

func TestProtectThatRunsAgainKeepsWhatItSawFirst(t *testing.T) {
	c, p := newCloud(t), open(t, quick)
	source := c.source(t, nil)
	s := protectiontest.NewSingle(p, source)
	call := s.Begin(c.session(t, "alpha", http.DefaultClient), nil, nil)
	for range 2 {
		if err := s.Run(t, p.Hooks(karbor.Protect, dnszone.Type).Main, call); err != nil {
			t.Fatal(err)
		}
		c.mu.Lock()
		c.zones[0].members["description"] = "changed meanwhile"
		c.mu.Unlock()
	}
}

func TestZoneThatCouldNotComeBackIsRefused(t *testing.T) {
	for name, members := range map[string]map[string]any{
		"copy of the one on its masters": {"type": "SECONDARY"},
		"being deleted":                  {"action": "DELETE", "status": "PENDING"},
	} {
		c, p := newCloud(t), open(t, quick)
		source := c.source(t, nil)
		maps.Copy(c.zones[0].members, members)
		s := protectiontest.NewSingle(p, source)
		err := s.Run(t, p.Hooks(karbor.Protect, dnszone.Type).Main, s.Begin(c.session(t, "alpha", http.DefaultClient), nil, nil))
		protectiontest.ExpectRefusal(t, err, karbor.Conflict, name)
	}
}

func TestMarkOfAnotherRestoreIsNotKept(t *testing.T) {
	c, p := newCloud(t), open(t, quick)
	s, _ := protectedWith(t, c, p, map[string]any{"description": "karbor-restoring-here karbor-" + karbor.NewID() + "-" + karbor.NewID()})
	restored, err := restore(t, c, s, p, nil)
	if now := c.look(restored.ID); err != nil || now["description"] != "" {
		t.Errorf("the zone is %v, error %v", now, err)
	}
}

// restore restores with parameters.
func restore(t *testing.T, c *cloud, s *protectiontest.Single, p protection.Plugin, parameters map[string]any) (protectiontest.Restored, error) {
	t.Helper()
	call := s.Begin(c.session(t, "alpha", http.DefaultClient), nil, parameters)
	err := s.Run(t, p.Hooks(karbor.RestoreOperation, dnszone.Type).Main, call)
	return s.Result(), err
}

func TestRecordSetThatTheCloudDoesNotTakeEndsTheRestoreOrIsTold(t *testing.T) {
	for name, test := range map[string]struct {
		options, parameter string
		status             int
		told               bool
		kind               karbor.Kind
	}{
		"as the plug-in has it":          {quick, "", 400, false, karbor.Invalid},
		"as the provider has it":         {"{refused_record_sets: report}", "", 400, true, 0},
		"as the tenant asks":             {quick, "report", 400, true, 0},
		"as the tenant insists":          {"{refused_record_sets: report}", "fail", 400, false, karbor.Invalid},
		"of a type that nobody may make": {quick, "report", 403, true, 0},
		"since there is no room for it":  {quick, "report", 413, false, karbor.OverLimit},
	} {
		t.Run(name, func(t *testing.T) {
			c, p := newCloud(t), open(t, test.options)
			c.refused = map[string]int{"MX": test.status}
			s, source := protected(t, c, p)
			parameters := map[string]any{}
			if test.parameter != "" {
				parameters["refused_record_sets"] = test.parameter
			}
			restored, err := restore(t, c, s, p, parameters)
			if !test.told {
				protectiontest.ExpectRefusal(t, err, test.kind, " MX in DNS zone ", "no such record sets")
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			name := source.Graph.Node(source.Key).Name
			if told := restored.NotKept; len(told) != 1 || told[0] != "The record set "+name+" MX: the cloud does not take it." {
				t.Errorf("the tenant is told %q", told)
			}
			if now := c.look(restored.ID); now[name+" MX"] != nil || now["www."+name+" A"] == nil {
				t.Errorf("the zone is %v", now)
			}
		})
	}
}

func TestZoneIsRestoredUnderAnotherName(t *testing.T) {
	c, p := newCloud(t), open(t, quick)
	s, source := protected(t, c, p)
	name := source.Graph.Node(source.Key).Name
	parameters := map[string]any{"restore_name": "copy.example"}
	ahead := s.LookAhead(t, s.Begin(c.session(t, "alpha", http.DefaultClient), nil, parameters))
	restored, err := restore(t, c, s, p, parameters)
	if err != nil {
		t.Fatal(err)
	}
	now := c.look(restored.ID)
	if now["name"] != "copy.example." || now["www.copy.example. A"] == nil || now["copy.example. MX"] == nil {
		t.Errorf("the zone is %v", now)
	}
	if told := restored.Mapped; len(told) != 1 || !strings.Contains(told[0], name+" became copy.example.") {
		t.Errorf("the tenant is told %q", told)
	}
	if len(ahead.Findings) != 1 || ahead.Findings[0].Severity != protection.SeverityInfo || ahead.Findings[0].Message != restored.Mapped[0] {
		t.Errorf("looking ahead tells %+v", ahead.Findings)
	}
}

func TestOtherNameServersAreTold(t *testing.T) {
	c, p := newCloud(t), open(t, quick)
	name := "moved.example."
	id := c.add(t, "alpha", name, nil, map[string]any{"name": name, "type": "NS", "records": []any{"ns.old.example."}})
	g := &karbor.Graph{}
	node := g.Add(karbor.Resource{Type: dnszone.Type, ID: id, Name: name}, "")
	s := protectiontest.NewSingle(p, protectiontest.Source{Graph: g, Key: node.Key()})
	if err := s.Run(t, p.Hooks(karbor.Protect, dnszone.Type).Main, s.Begin(c.session(t, "alpha", http.DefaultClient), nil, nil)); err != nil {
		t.Fatal(err)
	}
	c.drop(id)
	restored, err := restore(t, c, s, p, nil)
	if err != nil {
		t.Fatal(err)
	}
	if told := restored.NotKept; len(told) != 1 || !strings.Contains(told[0], "serves it by ns1.cloud.example., ns2.cloud.example.") {
		t.Errorf("the tenant is told %q", told)
	}
}

func TestNameThatIsTakenEndsTheRestore(t *testing.T) {
	for owner, refused := range map[string]func(*testing.T, protectiontest.Case) error{
		"alpha": protectiontest.Refused,           // a look ahead sees it
		"beta":  protectiontest.RefusedUnforeseen, // nobody may see it
	} {
		c := newCloud(t)
		one := c.caseOf(open(t, quick), nil)
		zone := one.Make
		one.Make = func(t *testing.T) protectiontest.Source {
			source := zone(t)
			name := source.Graph.Node(source.Key).Name
			return protectiontest.Afterwards(source, func(t *testing.T) { c.add(t, owner, name, nil) })
		}
		protectiontest.ExpectRefusal(t, refused(t, one), karbor.Conflict, "Duplicate Zone", "with the parameter restore_name")
	}
}

func TestQuotaThatDoesNotSufficeIsForeseen(t *testing.T) {
	for quota, most := range map[string]int{"zones": 0, "zone_recordsets": 2} {
		c := newCloud(t)
		c.quotas[quota] = most
		err := protectiontest.Refused(t, c.caseOf(open(t, quick), nil))
		protectiontest.ExpectRefusal(t, err, karbor.OverLimit, "Quota exceeded for "+quota)
	}
}

func TestQuotasThatTheCloudDoesNotTellSuffice(t *testing.T) {
	c := newCloud(t)
	c.quotas = nil
	protectiontest.RoundTrip(t, c.caseOf(open(t, quick), nil))
}

func TestCloudThatListsThingsTwiceGivesOneOfEach(t *testing.T) {
	c := newCloud(t)
	c.quotas["zone_recordsets"] = 3 // each counts once
	one := c.caseOf(open(t, quick), nil)
	one.Transport = protectiontest.Doubling{}
	protectiontest.RoundTrip(t, one)
}

func TestStateInWhichTheCloudGetsNoFurtherIsTold(t *testing.T) {
	for status, kind := range map[string]karbor.Kind{"ERROR": karbor.Conflict, "PENDING": karbor.Unavailable} {
		way := &protectiontest.Pretending{}
		one := newCloud(t).caseOf(open(t, quick), nil)
		one.Transport = way
		err := protectiontest.Spoilt(t, one, karbor.RestoreOperation, func() {
			way.Told(kind)("/zones/[^/]+$", func(members map[string]any) { members["status"] = status })
		}, func() { way.Stop() })
		protectiontest.ExpectRefusal(t, err, kind, "made for DNS zone", fmt.Sprintf("%q", status))
	}
}
