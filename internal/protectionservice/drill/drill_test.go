package drill

import (
	"encoding/hex"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/evidence"
	"github.com/karbor/karbor/internal/protectionservice/drill/filesystem"
	"github.com/karbor/karbor/internal/store"
	"github.com/karbor/karbor/protection"
)

const drillID = "3f0c3c6e-5d3e-4a0c-8e5e-0c6d9a2f1b11"

func original(t karbor.ResourceType, id string) karbor.Resource {
	return karbor.Resource{Type: t, ID: id, Name: id + "'s name"}
}

// tree gives a checkpoint's graph: a project with a network and a server, which has a volume and
// a disk of its own.
func tree() *karbor.Graph {
	g := &karbor.Graph{}
	project := g.Add(original(karbor.ProjectType, "p"), "")
	network := g.Add(original(karbor.NetworkType, "n"), "")
	server := g.Add(original(karbor.ServerType, "s"), "")
	volume := g.Add(original(karbor.VolumeType, "v"), "")
	disk := g.Add(original(karbor.ImageType, "i"), "s")
	g.Connect(project, network)
	g.Connect(project, server)
	g.Connect(server, network)
	g.Connect(server, volume)
	g.Connect(server, disk)
	return g
}

func all(n *karbor.Node) bool {
	_, alone := Alone(n.Type)
	return !alone
}

func TestGraphHasTheDrillsOwnNetworkInThePlaceOfTheOriginals(t *testing.T) {
	g := Graph(drillID, tree(), all)
	var keys []string
	for _, n := range g.Nodes() {
		keys = append(keys, string(n.Key()))
	}
	site := karbor.MakeNodeKey(karbor.Resource{Type: karbor.NetworkType, ID: drillID}, Role)
	if want := []string{"server/s", "volume/v", "image/i@s", string(site)}; !cmp.Equal(keys, want) {
		t.Errorf("the nodes are %v; want %v", keys, want)
	}
	for _, n := range g.Nodes() {
		if needs := cmp.Equal(n.Children, []karbor.NodeKey(nil)); needs != IsSite(n) {
			t.Errorf("%s needs %v", n.Key(), n.Children)
		}
	}
	if err := g.Check(); err != nil {
		t.Error(err)
	}
	if empty := Graph(drillID, tree(), func(*karbor.Node) bool { return false }); len(empty.Nodes()) > 0 {
		t.Error("a drill of nothing has a network")
	}
}

func TestProbesAreChecked(t *testing.T) {
	for name, p := range map[string]karbor.DrillProbes{
		"none":               {},
		"no pattern":         {Console: &karbor.ConsoleProbe{Timeout: 1}},
		"a bad pattern":      {Console: &karbor.ConsoleProbe{Pattern: "(", Timeout: 1}},
		"a long pattern":     {Console: &karbor.ConsoleProbe{Pattern: strings.Repeat("x", 1001), Timeout: 1}},
		"no time":            {Command: &karbor.CommandProbe{}},
		"too much time":      {Console: &karbor.ConsoleProbe{Pattern: "x", Timeout: 3601}},
		"no port":            {Port: &karbor.PortProbe{Timeout: 1}},
		"too great a port":   {Port: &karbor.PortProbe{Port: 65536, Timeout: 1}},
		"no time for a port": {Port: &karbor.PortProbe{Port: 22}},
	} {
		if err := Check(p); karbor.KindOf(err) != karbor.Invalid || err == nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := Check(karbor.DefaultDrillProbes()); err != nil {
		t.Error(err)
	}
}

func TestMappingKeepsTheDrillAwayFromTheOriginal(t *testing.T) {
	got, err := Mapping(drillID, map[string]any{"flavors": map[string]any{"*": "small"}})
	want := map[string]any{"flavors": map[string]any{"*": "small"}, "floating_ips": "none", "power": "running", "name_prefix": "karbor-drill-3f0c3c6e-"}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	for _, name := range []string{"networks", "subnets", "security_groups", "floating_ips", "power", "name_prefix", "addresses"} {
		if _, err := Mapping(drillID, map[string]any{name: "x"}); karbor.KindOf(err) != karbor.Invalid || err == nil {
			t.Errorf("%s may be mapped: %v", name, err)
		}
	}
}

func TestGuestsHookIsRead(t *testing.T) {
	begin, end := beginLine+drillID, endLine+drillID
	for name, test := range map[string]struct {
		text string
		want hookAnswer
	}{
		"nothing":         {"login:\n", hookAnswer{}},
		"of another":      {beginLine + "other\n" + endLine + "other 0\n", hookAnswer{}},
		"begun":           {begin + "\nlooking\n", hookAnswer{began: true, output: "looking"}},
		"good":            {"[  12.3] " + begin + "\r\nrows: 12\nall good\n" + end + " 0\n", hookAnswer{began: true, ended: true, output: "rows: 12 all good"}},
		"bad":             {begin + "\n" + end + " 7\n", hookAnswer{began: true, ended: true, status: 7}},
		"no number":       {begin + "\n" + end + " x\n", hookAnswer{began: true}},
		"end alone":       {end + " 0\n", hookAnswer{}},
		"the last counts": {begin + "\n" + end + " 7\n" + begin + "\n" + end + " 0\n", hookAnswer{began: true, ended: true}},
		"hostile":         {begin + "\n\x1b[31mred\x00\n" + end + " 0\n", hookAnswer{began: true, ended: true, output: "[31mred"}},
	} {
		if got := readHook(test.text, drillID); got != test.want {
			t.Errorf("%s gives %+v; want %+v", name, got, test.want)
		}
	}
}

func TestBytesOfAVolumeAreJudged(t *testing.T) {
	digest := func(text string) string {
		h := newHash("sha256")
		h.Write([]byte(text))
		return hex.EncodeToString(h.Sum(nil))
	}
	ext4 := []filesystem.Finding{{Kind: "ext4", State: filesystem.Clean}}
	unknown := []filesystem.Finding{{Kind: "LUKS", State: filesystem.Unknown}}
	broken := []filesystem.Finding{{Kind: "ext4", State: filesystem.Damaged, Reason: "why"}}
	for name, test := range map[string]struct {
		content *protection.Content
		bytes   string
		systems []filesystem.Finding
		want    evidence.Result
		// asked says that the digest is to be compared.
		asked  bool
		reason string
	}{
		"the same":                      {&protection.Content{Size: 3, Algorithm: "sha256", Digest: digest("abc")}, "abc", nil, evidence.Passed, false, ""},
		"zeros behind":                  {&protection.Content{Size: 3, Algorithm: "sha256", Digest: digest("abc")}, "abc\x00\x00", nil, evidence.Passed, false, ""},
		"something behind":              {&protection.Content{Size: 3, Algorithm: "sha256", Digest: digest("abc")}, "abc\x00x", nil, evidence.Failed, false, ""},
		"other bytes":                   {&protection.Content{Size: 3, Algorithm: "sha256", Digest: digest("abc")}, "abd", ext4, evidence.Failed, false, ""},
		"too short":                     {&protection.Content{Size: 3, Algorithm: "sha256", Digest: digest("abc")}, "ab", ext4, evidence.Failed, false, ""},
		"no digest, a file system":      {nil, "abc", ext4, evidence.Passed, false, ""},
		"no digest, a broken one":       {nil, "abc", broken, evidence.Failed, false, ""},
		"no digest, nothing recognised": {nil, "abc", nil, evidence.Impossible, false, ""},
		"the same, broken":              {&protection.Content{Size: 3, Algorithm: "sha256", Digest: digest("abc")}, "abc", broken, evidence.Failed, false, ""},
		"no digest, unknown":            {nil, "abc", unknown, evidence.Impossible, false, "of unknown state"},
		"no digest, one is known":       {nil, "abc", append(slices.Clone(unknown), ext4...), evidence.Passed, false, ""},
		"a digest asked for, none":      {nil, "abc", ext4, evidence.Passed, true, "was asked for"},
		"a digest asked for, unknown":   {nil, "abc", unknown, evidence.Impossible, true, "was asked for"},
	} {
		s := Subject{ID: "v", Content: test.content, Probes: karbor.DrillProbes{Volume: &karbor.VolumeProbe{Digest: test.asked}}}
		rest, h := tail{skip: 0}, newHash("none")
		if test.content != nil {
			h, rest = newHash(test.content.Algorithm), tail{skip: test.content.Size}
			for _, piece := range strings.SplitAfter(test.bytes, "") { // byte by byte
				_, _ = (&first{h, min(rest.skip, 1)}).Write([]byte(piece))
				_, _ = rest.Write([]byte(piece))
			}
		}
		if got := judge(evidence.Probe{}, s, test.systems, h, int64(len(test.bytes)), rest.dirty); got.Result != test.want || !strings.Contains(got.Reason, test.reason) {
			t.Errorf("%s is %s: %s; want %s", name, got.Result, got.Reason, test.want)
		}
	}
}

// at is a time in the drill.
func at(seconds int) time.Time {
	return time.Date(2026, 11, 21, 3, 0, 0, 0, time.UTC).Add(time.Duration(seconds) * time.Second)
}

// course is a drill of the tree: the volume is back after 10 s, probed until 70 s, the disk back
// after 30 s, and the server made from 70 s to 90 s.
func course(result, other evidence.Result) Course {
	g := Graph(drillID, tree(), all)
	event := func(position int, name string, from, to int) store.DrillEvent {
		return store.DrillEvent{Position: position, Name: name, StartedAt: at(from), EndedAt: at(to)}
	}
	c := Course{
		Drill:      karbor.Drill{ID: drillID, CreatedAt: at(0)},
		Checkpoint: karbor.Checkpoint{ID: "c", Graph: tree()}, Graph: g, EndedAt: at(200), Bank: "main", Service: "1.0",
		Excluded: func(n *karbor.Node) string { reason, _ := Alone(n.Type); return reason },
		Events: []store.DrillEvent{
			event(0, "complete", 70, 90), event(0, "probe:active", 90, 91), event(0, "removal", 100, 110),
			event(1, "main", 2, 10), event(1, "probe:volume", 10, 70), event(2, "main", 2, 30), event(3, "prepare_finish", 1, 2),
		},
	}
	c.Events[1].Result, c.Events[4].Result = string(result), string(other)
	for _, n := range g.Nodes() {
		c.Rows = append(c.Rows, store.ResourceRecord{Key: n.Key(), State: karbor.ResourceAvailable, NewID: "new-" + n.ID})
	}
	return c
}

func TestRecoveryTimeLeavesOutWhatProbesTook(t *testing.T) {
	got := measure(course(evidence.Passed, evidence.Passed))
	// Without the probe the server would have waited for its disk, until 30 s.
	if want := []time.Duration{50 * time.Second, 10 * time.Second, 30 * time.Second, 2 * time.Second}; !cmp.Equal(got, want) {
		t.Errorf("they were ready after %v; want %v", got, want)
	}
	cut := course(evidence.Passed, evidence.Passed)
	cut.Events[0].EndedAt = time.Time{}
	if got := measure(cut); got[0] != 0 {
		t.Errorf("a server that never was ready took %v", got[0])
	}
}

// nothingNeeded has a drill restore nothing but an image, of which no probe was made.
func nothingNeeded(c *Course) {
	g := &karbor.Graph{}
	g.Add(karbor.Resource{Type: karbor.ImageType, ID: "i"}, "")
	site := g.Add(karbor.Resource{Type: karbor.NetworkType, ID: "d"}, Role)
	c.Graph, c.Checkpoint.Graph = g, g
	c.Events, c.Rows = nil, []store.ResourceRecord{{Key: g.Nodes()[0].Key(), State: karbor.ResourceAvailable}, {Key: site.Key()}}
}

func TestVerdictOfADrill(t *testing.T) {
	for name, test := range map[string]struct {
		server, volume evidence.Result
		change         func(*Course)
		want           karbor.DrillVerdict
		reason         string
	}{
		"all is seen":                {evidence.Passed, evidence.Passed, nil, karbor.DrillPassed, ""},
		"one has failed":             {evidence.Passed, evidence.Failed, nil, karbor.DrillFailed, "volume"},
		"impossible is not good":     {evidence.Impossible, evidence.Passed, nil, karbor.DrillInconclusive, "Nothing could be seen"},
		"failed and impossible":      {evidence.Impossible, evidence.Failed, nil, karbor.DrillFailed, "volume"},
		"cancelled":                  {evidence.Passed, evidence.Passed, func(c *Course) { c.Cancelled = "enough" }, karbor.DrillInconclusive, "cancelled: enough"},
		"failed, then cancelled":     {evidence.Failed, evidence.Passed, func(c *Course) { c.Cancelled = "enough" }, karbor.DrillFailed, "cancelled"},
		"the restore failed":         {evidence.Passed, evidence.Passed, func(c *Course) { c.Failed = "damage" }, karbor.DrillFailed, "damage"},
		"the cloud has no room":      {evidence.Passed, evidence.Passed, func(c *Course) { c.Failed = "no room"; c.Events[0].Result = OverLimit }, karbor.DrillInconclusive, "quota"},
		"no probe has seen anything": {evidence.Passed, evidence.Passed, nothingNeeded, karbor.DrillInconclusive, "No probe"},
		"a probe that was cut off":   {evidence.Passed, evidence.Passed, func(c *Course) { c.Events[1].EndedAt = time.Time{}; c.Events[1].Result = "" }, karbor.DrillInconclusive, "cut off"},
	} {
		c := course(test.server, test.volume)
		if test.change != nil {
			test.change(&c)
		}
		r := Report(c)
		if r.Verdict != test.want || !strings.Contains(strings.Join(r.Reasons, " "), test.reason) || test.want != karbor.DrillPassed && len(r.Reasons) == 0 {
			t.Errorf("%s is %s, %q; want %s", name, r.Verdict, r.Reasons, test.want)
		}
	}
}

func TestReportTellsWhatIsLeftAndLeftOut(t *testing.T) {
	c := course(evidence.Passed, evidence.Passed)
	c.Left = map[karbor.NodeKey]string{c.Graph.Nodes()[0].Key(): "the cloud does not let it"}
	r := Report(c)
	if r.Removed || len(r.Left) != 1 || !strings.Contains(r.Left[0], "the cloud does not let it") {
		t.Errorf("what is left: %v, %v", r.Removed, r.Left)
	}
	var out []string
	for _, l := range r.LeftOut {
		out = append(out, l.Resource+" "+l.Reason)
	}
	if want := []string{"OS::Keystone::Project#p A drill restores what is in the project.", "OS::Neutron::Network#n A drill has networks of its own."}; !cmp.Equal(out, want) {
		t.Errorf("left out are %q", out)
	}
	if r.RecoveryMS != 50_000 || len(r.Resources) != 3 || r.Resources[2].Resource != "OS::Glance::Image#i@s" {
		t.Errorf("the record is %+v", r)
	}
	c.Rows[0].State = karbor.ResourceRestoring
	if r := Report(c); r.RecoveryMS != 0 {
		t.Errorf("a server that was not ready took %d ms", r.RecoveryMS)
	}
}

func TestNetworksOfSeveralServersAreMerged(t *testing.T) {
	got := merge([]protection.DrillNetwork{
		{ID: "b", Subnets: []protection.DrillSubnet{{ID: "s", Addresses: []string{"10.0.0.5"}}}, Groups: []string{"g"}},
		{ID: "a"},
		{ID: "b", Name: "lan", Subnets: []protection.DrillSubnet{{ID: "s", CIDR: "10.0.0.0/24", Gateway: "10.0.0.1", NoDHCP: true}, {ID: "t"}}, Groups: []string{"g", "h"}},
	})
	want := []protection.DrillNetwork{{ID: "a"}, {ID: "b", Name: "lan", Groups: []string{"g", "h"}, Subnets: []protection.DrillSubnet{
		{ID: "s", CIDR: "10.0.0.0/24", Gateway: "10.0.0.1", NoDHCP: true, Addresses: []string{"10.0.0.5"}}, {ID: "t"},
	}}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for address, want := range map[string]string{"10.1.2.3": "10.1.2.0/24", "fd00:1::5": "fd00:1::/64", "": ""} {
		if got := around([]string{address}); got != want {
			t.Errorf("around %q is %q", address, got)
		}
	}
}
