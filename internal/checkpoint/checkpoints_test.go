package checkpoint

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank"
	"github.com/karbor/karbor/bank/banktest"
)

// compareGraphs compares graphs by their text.
var compareGraphs = cmp.Transformer("text", func(g *karbor.Graph) string {
	if g == nil {
		return ""
	}
	text, err := g.MarshalText()
	return fmt.Sprint(string(text), err)
})

func diffCheckpoint(want, got karbor.Checkpoint) string { return cmp.Diff(want, got, compareGraphs) }

func TestCreatedCheckpointIsReadBack(t *testing.T) {
	c := newClock()
	cs := open(t, memory(c), c, "a")
	must(t, cs.Create(t.Context(), sample()))
	got, err := cs.Get(t.Context(), project, cpID)
	must(t, err)
	if diff := diffCheckpoint(sample(), got); diff != "" {
		t.Error(diff)
	}

	c.move(time.Minute)
	must(t, cs.SetState(t.Context(), project, cpID, karbor.CheckpointAvailable, Change{
		From: []karbor.CheckpointStatus{karbor.CheckpointProtecting}, Size: 42,
	}))
	want := sample()
	want.Status, want.Size, want.UpdatedAt = karbor.CheckpointAvailable, 42, start.Add(time.Minute)
	got, err = cs.Get(t.Context(), project, cpID)
	must(t, err)
	if diff := diffCheckpoint(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestCheckpointMadeAvailableAtOnceIsReadBack(t *testing.T) {
	c := newClock()
	f := banktest.NewFaulty(memory(c))
	cs := open(t, f, c, "a")
	before := len(f.Calls())
	must(t, cs.CreateAvailable(t.Context(), sample(), Change{Size: 42}))
	writes := map[banktest.Method]int{}
	for _, call := range f.Calls()[before:] {
		writes[call.Method]++
	}
	fewer := map[banktest.Method]int{banktest.Create: 6, banktest.Delete: 1, banktest.List: 1}
	if diff := cmp.Diff(fewer, writes); diff != "" {
		t.Error(diff)
	}
	want := sample()
	want.Status, want.Size = karbor.CheckpointAvailable, 42
	got, err := cs.Get(t.Context(), project, cpID)
	must(t, err)
	if diff := diffCheckpoint(want, got); diff != "" {
		t.Error(diff)
	}
	listed, err := cs.List(t.Context(), project, Filter{PlanID: plan}, "", 10)
	must(t, err)
	if len(listed.Checkpoints) != 1 {
		t.Errorf("the index by plan gives %d checkpoints", len(listed.Checkpoints))
	}
	must(t, cs.CreateAvailable(t.Context(), sample(), Change{Size: 42}))
	must(t, cs.SetState(t.Context(), project, cpID, karbor.CheckpointError, Change{}))
	wantKind(t, cs.CreateAvailable(t.Context(), sample(), Change{}), karbor.Conflict)
}

func TestCheckpointThatWasMadeByStepsCanBeMadeAvailable(t *testing.T) {
	c := newClock()
	cs := open(t, memory(c), c, "a")
	must(t, cs.Create(t.Context(), sample()))
	must(t, cs.CreateAvailable(t.Context(), sample(), Change{Size: 7}))
	got, err := cs.Get(t.Context(), project, cpID)
	must(t, err)
	if got.Status != karbor.CheckpointAvailable || got.Size != 7 {
		t.Errorf("it is %s with %d bytes", got.Status, got.Size)
	}
}

func TestUnknownAndForeignCheckpointsAreNotFound(t *testing.T) {
	c := newClock()
	cs := open(t, memory(c), c, "a")
	must(t, cs.Create(t.Context(), sample()))
	for _, ids := range [][2]string{{"other", cpID}, {project, volumeID}, {"", cpID}, {project, ""}, {"..", cpID}, {project, "../" + cpID}} {
		_, err := cs.Get(t.Context(), ids[0], ids[1])
		wantKind(t, err, karbor.NotFound)
		wantKind(t, cs.SetState(t.Context(), ids[0], ids[1], karbor.CheckpointError, Change{}), karbor.NotFound)
	}
	_, err := cs.Section("other/..", cpID, "volume/x")
	wantKind(t, err, karbor.NotFound)
	_, err = cs.Section(project, cpID, "../x")
	wantKind(t, err, karbor.Invalid)
}

func TestReasonsAreKept(t *testing.T) {
	c := newClock()
	cs := open(t, memory(c), c, "a")
	must(t, cs.Create(t.Context(), sample()))
	reasons := map[string]string{"OS::Cinder::Volume#" + volumeID: "the volume is gone"}
	must(t, cs.SetState(t.Context(), project, cpID, karbor.CheckpointError, Change{Reasons: reasons}))
	got, err := cs.Get(t.Context(), project, cpID)
	must(t, err)
	if diff := cmp.Diff(reasons, got.Reasons); diff != "" {
		t.Error(diff)
	}
	must(t, cs.SetState(t.Context(), project, cpID, karbor.CheckpointAvailable, Change{}))
	got, err = cs.Get(t.Context(), project, cpID)
	must(t, err)
	if len(got.Reasons) > 0 {
		t.Errorf("an available checkpoint has reasons %v", got.Reasons)
	}
}

func TestCreateAgainIsFineWhileProtecting(t *testing.T) {
	c := newClock()
	m := memory(c)
	cs := open(t, m, c, "a")
	must(t, cs.Create(t.Context(), sample()))
	before := m.Snapshot()
	c.move(time.Second)
	must(t, cs.Create(t.Context(), sample()))
	if diff := cmp.Diff(before, m.Snapshot()); diff != "" {
		t.Error(diff)
	}
	changed := sample()
	changed.Plan.Name = "another"
	wantKind(t, cs.Create(t.Context(), changed), karbor.Conflict)
	must(t, cs.SetState(t.Context(), project, cpID, karbor.CheckpointAvailable, Change{}))
	wantKind(t, cs.Create(t.Context(), sample()), karbor.Conflict)
}

func TestImproperCheckpointsAreRefused(t *testing.T) {
	c := newClock()
	m := memory(c)
	cs := open(t, m, c, "a")
	before := len(m.Snapshot())
	for name, change := range map[string]func(*karbor.Checkpoint){
		"id":       func(cp *karbor.Checkpoint) { cp.ID = "x" },
		"project":  func(cp *karbor.Checkpoint) { cp.ProjectID = "a/b" },
		"provider": func(cp *karbor.Checkpoint) { cp.ProviderID = "" },
		"plan":     func(cp *karbor.Checkpoint) { cp.Plan.ID = ".." },
		"time":     func(cp *karbor.Checkpoint) { cp.CreatedAt = time.Time{} },
	} {
		cp := sample()
		change(&cp)
		if err := cs.Create(t.Context(), cp); karbor.KindOf(err) != karbor.Invalid {
			t.Errorf("%s: %v, want Invalid", name, err)
		}
	}
	if n := len(m.Snapshot()); n != before {
		t.Errorf("%d objects were written", n-before)
	}
}

func TestStatesFollowTheirRules(t *testing.T) {
	const (
		protecting, available, failed = karbor.CheckpointProtecting, karbor.CheckpointAvailable, karbor.CheckpointError
		deleting, errorDeleting       = karbor.CheckpointDeleting, karbor.CheckpointErrorDeleting
	)
	for _, test := range []struct {
		path []karbor.CheckpointStatus
		to   karbor.CheckpointStatus
		from []karbor.CheckpointStatus
		ok   bool
	}{
		{nil, available, nil, true}, {nil, failed, nil, true}, {nil, deleting, nil, false}, {nil, errorDeleting, nil, false},
		{nil, protecting, nil, true}, {nil, available, []karbor.CheckpointStatus{failed}, false},
		{[]karbor.CheckpointStatus{available}, deleting, []karbor.CheckpointStatus{available, failed}, true},
		{[]karbor.CheckpointStatus{available}, protecting, nil, false}, {[]karbor.CheckpointStatus{available}, available, nil, true},
		{[]karbor.CheckpointStatus{available}, available, []karbor.CheckpointStatus{protecting}, true}, // a repetition
		{[]karbor.CheckpointStatus{available}, failed, nil, true}, {[]karbor.CheckpointStatus{failed}, available, nil, true},
		{[]karbor.CheckpointStatus{failed, deleting}, errorDeleting, nil, true}, {[]karbor.CheckpointStatus{failed, deleting}, available, nil, true},
		{[]karbor.CheckpointStatus{failed, deleting, errorDeleting}, deleting, nil, true},
		{[]karbor.CheckpointStatus{failed, deleting, errorDeleting}, protecting, nil, false},
	} {
		c := newClock()
		cs := open(t, memory(c), c, "a")
		must(t, cs.Create(t.Context(), sample()))
		before := protecting
		for _, s := range test.path {
			must(t, cs.SetState(t.Context(), project, cpID, s, Change{}))
			before = s
		}
		err := cs.SetState(t.Context(), project, cpID, test.to, Change{From: test.from})
		got, getErr := cs.Get(t.Context(), project, cpID)
		must(t, getErr)
		want := before
		if test.ok {
			want = test.to
		}
		if (err == nil) != test.ok || got.Status != want || err != nil && karbor.KindOf(err) != karbor.Conflict {
			t.Errorf("%v to %s from %v: %s, error %v", test.path, test.to, test.from, got.Status, err)
		}
		for _, s := range []karbor.CheckpointStatus{karbor.CheckpointDeleted, "unknown", ""} {
			wantKind(t, cs.SetState(t.Context(), project, cpID, s, Change{}), karbor.Invalid)
		}
	}
}

func TestNewestValidStateCounts(t *testing.T) {
	c := newClock()
	m := memory(c)
	cs := open(t, m, c, "a")
	must(t, cs.Create(t.Context(), sample()))
	must(t, cs.SetState(t.Context(), project, cpID, karbor.CheckpointAvailable, Change{Size: 7}))
	good := m.Snapshot()[stateKey(project, cpID, 2)]
	for n, bad := range []string{
		"", "{", "null", `{"layout":1}`, good, // a sequence that isn't the key's
		strings.Replace(good, `"sequence":2`, `"sequence":8`, 1) + "x",
		strings.NewReplacer(`"sequence":2`, `"sequence":9`, `"layout":1`, `"layout":2`).Replace(good),
		strings.NewReplacer(`"sequence":2`, `"sequence":10`, project, "another").Replace(good),
		strings.NewReplacer(`"sequence":2`, `"sequence":11`, "available", "gone").Replace(good),
	} {
		must(t, m.Put(t.Context(), stateKey(project, cpID, n+3), strings.NewReader(bad), int64(len(bad))))
	}
	must(t, m.Put(t.Context(), statesPrefix(project, cpID)+"99999999x", strings.NewReader(good), int64(len(good))))
	got, err := cs.Get(t.Context(), project, cpID)
	must(t, err)
	if got.Status != karbor.CheckpointAvailable || got.Size != 7 {
		t.Errorf("%s with %d bytes", got.Status, got.Size)
	}
	must(t, cs.SetState(t.Context(), project, cpID, karbor.CheckpointError, Change{}))
	if _, err := m.Stat(t.Context(), stateKey(project, cpID, 12)); err != nil {
		t.Errorf("the next state does not come after the broken ones: %v", err)
	}
}

func TestNodesOfOneCheckpointShareNothing(t *testing.T) {
	c := newClock()
	m := memory(c)
	cs := open(t, m, c, "a")
	keys := []karbor.NodeKey{"image/" + imageID + "@" + serverID, "image/" + imageID, "server/" + serverID, "image/" + imageID + "@" + volumeID}
	for _, key := range keys {
		docs, err := cs.Section(project, cpID, key)
		must(t, err)
		must(t, docs.CreateJSON(t.Context(), "metadata", string(key)))
		must(t, docs.CreateJSON(t.Context(), "metadata", string(key))) // a re-run
		wantKind(t, docs.CreateJSON(t.Context(), "metadata", "else"), karbor.Conflict)
		data, err := cs.Data(project, cpID, key)
		must(t, err)
		must(t, data.Create(t.Context(), "metadata", strings.NewReader("x"), 1))
	}
	for _, key := range keys {
		docs, err := cs.Section(project, cpID, key)
		must(t, err)
		var got string
		must(t, docs.GetJSON(t.Context(), "metadata", &got))
		if got != string(key) {
			t.Errorf("%s holds %s", key, got)
		}
	}
}

func TestScanGivesEveryLivingCheckpoint(t *testing.T) {
	c := newClock()
	m := memory(c)
	cs := open(t, m, c, "a")
	var want []karbor.Checkpoint
	for i := range 5 {
		cp := other(fmt.Sprintf("%08d-0000-4000-8000-000000000000", i), time.Duration(i)*time.Hour)
		cp.ProjectID = fmt.Sprint("project", i%2)
		must(t, cs.Create(t.Context(), cp))
		if i == 4 {
			must(t, cs.SetState(t.Context(), cp.ProjectID, cp.ID, karbor.CheckpointError, Change{}))
			must(t, cs.SetState(t.Context(), cp.ProjectID, cp.ID, karbor.CheckpointDeleting, Change{}))
			must(t, cs.Purge(t.Context(), cp.ProjectID, cp.ID))
			continue
		}
		cp.UpdatedAt = start
		want = append(want, cp)
	}
	// Without indices, as a scan does not need them.
	section, err := bank.NewSection(m, "v1/indices")
	must(t, err)
	must(t, section.Clear(t.Context()))
	reader, err := Open(t.Context(), m, Options{Now: c.Now})
	must(t, err)
	var got []karbor.Checkpoint
	must(t, reader.Scan(t.Context(), func(cp karbor.Checkpoint) error { got = append(got, cp); return nil }, nil))
	byID := cmpopts.SortSlices(func(a, b karbor.Checkpoint) bool { return a.ID < b.ID })
	if diff := cmp.Diff(want, got, compareGraphs, byID); diff != "" {
		t.Error(diff)
	}
}

func TestExtraInfoIsKeptAsItIs(t *testing.T) {
	c := newClock()
	cs := open(t, memory(c), c, "a")
	cp := sample()
	cp.ExtraInfo["n"] = json.RawMessage(`{"b":12345678901234567890,"a":[1.0,null]}`)
	must(t, cs.Create(t.Context(), cp))
	got, err := cs.Get(t.Context(), project, cpID)
	must(t, err)
	if diff := cmp.Diff(cp.ExtraInfo, got.ExtraInfo); diff != "" {
		t.Error(diff)
	}
}

func TestWritingACheckpointTakesFewCalls(t *testing.T) {
	c := newClock()
	f := banktest.NewFaulty(memory(c))
	cs := open(t, f, c, "a")
	before := len(f.Calls())
	must(t, cs.Create(t.Context(), sample()))
	must(t, cs.SetState(t.Context(), project, cpID, karbor.CheckpointAvailable, Change{}))
	writes := map[banktest.Method]int{}
	for _, call := range f.Calls()[before:] {
		writes[call.Method]++
	}
	want := map[banktest.Method]int{banktest.Create: 7, banktest.Delete: 1, banktest.List: 3, banktest.Get: 1}
	if diff := cmp.Diff(want, writes); diff != "" {
		t.Error(diff)
	}
}
