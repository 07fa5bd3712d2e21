package checkpoint

import (
	"context"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank"
	"github.com/karbor/karbor/internal/evidence"
)

const (
	goldenProven       = "testdata/layout1-evidence"
	goldenProvenSealed = "testdata/layout1-evidence-sealed"
	drillID            = "d0d0d0d0-0000-4000-8000-000000000001"
)

// signer signs with a key for tests.
func signer(t *testing.T) *evidence.Signer {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(ed25519.NewKeyFromSeed([]byte("a seed for tests, of thirty-two.")))
	must(t, err)
	s, err := evidence.NewSigner(karbor.Secret(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})))
	must(t, err)
	return s
}

// drilled is the evidence of a drill of the sample.
func drilled(t *testing.T, change func(*evidence.Record)) Proof {
	t.Helper()
	r := evidence.Record{
		DrillID: drillID, ProjectID: project, ProviderID: provider, Bank: "main",
		Checkpoint: evidence.Checkpoint{ID: cpID, CreatedAt: evidence.Time{Time: start}, PlanID: plan, PlanName: "My plan <1> & co"},
		Service:    "1.0.0", StartedAt: evidence.Time{Time: start.Add(time.Hour)}, EndedAt: evidence.Time{Time: start.Add(2 * time.Hour)},
		Verdict: karbor.DrillPassed, Reasons: []string{}, RecoveryMS: 1500, Phases: []evidence.Phase{},
		Resources: []evidence.Resource{{Resource: "OS::Cinder::Volume#" + volumeID, Name: "data", Verdict: karbor.DrillPassed, ReadyMS: 1500,
			NotKept: []string{}, Mapped: []string{}, Phases: []evidence.Phase{}, Probes: []evidence.Probe{}}},
		LeftOut: []evidence.LeftOut{}, Removed: true, Left: []string{},
	}
	if change != nil {
		change(&r)
	}
	file, err := signer(t).Sign(r)
	must(t, err)
	p, err := NewProof(file, karbor.Drill{Status: karbor.DrillFinished, Probes: karbor.DrillProbes{Active: &karbor.ActiveProbe{}},
		Mapping: map[string]any{"flavors": map[string]any{"big": "small"}}})
	must(t, err)
	return p
}

func proofsOf(t *testing.T, cs *Checkpoints) (files []string, unread []string) {
	t.Helper()
	found, err := cs.Proofs(t.Context(), project, cpID, func(u UnreadProof) error {
		unread = append(unread, u.Key)
		return nil
	})
	must(t, err)
	for _, p := range found {
		files = append(files, string(p.File))
	}
	return files, unread
}

func TestEvidenceLiesAsLayout1SaysAndIsReadBack(t *testing.T) {
	for folder, sealer := range map[string]Sealer{goldenProven: nil, goldenProvenSealed: ring{project: newDomain(t, project, 7)}} {
		m, cs := makeSample(t, sealer)
		p := drilled(t, nil)
		must(t, cs.PutProof(t.Context(), project, cpID, p))
		got := m.Snapshot()
		opens := ring{}
		if sealer != nil {
			opens = ring{project: newDomain(t, project, 7)}
		}
		if *update {
			all := maps.Clone(got)
			if sealer != nil {
				writeDomain(t, all)
			}
			writeGolden(t, folder, all)
		}
		want := readGolden(t, folder)
		opened := opens.comparable(t, want)
		delete(opened, goldenFormat)
		delete(opened, goldenSlot)
		if diff := cmp.Diff(opened, opens.comparable(t, got)); diff != "" {
			t.Error(diff)
		}
		all, err := cs.Proofs(t.Context(), project, cpID, nil)
		must(t, err)
		if diff := cmp.Diff([]Proof{p}, all, cmp.AllowUnexported(evidence.Time{})); diff != "" {
			t.Error(diff)
		}
		if _, err := evidence.Verify(all[0].File, signer(t).Keys()...); err != nil {
			t.Errorf("what is read back is not what was signed: %v", err)
		}
	}
}

func TestTheNewestEvidenceOfADrillThatCountsIsIts(t *testing.T) {
	m, cs := whole(t, nil)
	first := drilled(t, func(r *evidence.Record) { r.Verdict = karbor.DrillFailed })
	second := drilled(t, nil)
	other := drilled(t, func(r *evidence.Record) { r.DrillID = "c0d0d0d0-0000-4000-8000-000000000001" })
	for _, p := range []Proof{first, first, second, other, second} {
		must(t, cs.PutProof(t.Context(), project, cpID, p))
	}
	files, _ := proofsOf(t, cs)
	if diff := cmp.Diff([]string{string(other.File), string(second.File)}, files); diff != "" {
		t.Error(diff)
	}
	if n := strings.Count(strings.Join(slices.Collect(maps.Keys(m.Snapshot())), "\n"), "/evidence/"); n != 3 {
		t.Errorf("%d objects for 3 records", n)
	}
	must(t, cs.RemoveProof(t.Context(), project, cpID, drillID))
	must(t, cs.RemoveProof(t.Context(), project, cpID, drillID))
	if files, _ = proofsOf(t, cs); len(files) != 1 || files[0] != string(other.File) {
		t.Errorf("after its drill was deleted: %v", files)
	}
}

func TestEvidenceThatIsDamagedForeignOrForgedDoesNotCount(t *testing.T) {
	m, cs := whole(t, nil)
	good := drilled(t, nil)
	must(t, cs.PutProof(t.Context(), project, cpID, good))
	text := m.Snapshot()[proofKey(project, cpID, drillID, 1)]
	for name, bad := range map[string]string{
		"cut off":            text[:len(text)-1],
		"empty":              "{}",
		"another layout":     strings.Replace(text, `"layout":1`, `"layout":2`, 1),
		"another drill":      strings.Replace(text, drillID, "e"+drillID[1:], 1),
		"another checkpoint": strings.Replace(text, cpID, "e"+cpID[1:], 1),
		"another project":    strings.Replace(text, project, "e"+project[1:], 1),
		"a member more":      strings.Replace(text, `"removed":true`, `"removed":true,"more":1`, 1),
		"no signature":       strings.Replace(text, `"signature":{`, `"signed":{`, 1),
		"no end":             strings.Replace(text, `"status":"finished"`, `"status":"running"`, 1),
	} {
		if bad == text {
			t.Fatalf("%s: nothing was changed", name)
		}
		key := proofKey(project, cpID, drillID, 2)
		must(t, m.Put(t.Context(), key, strings.NewReader(bad), int64(len(bad))))
		files, unread := proofsOf(t, cs)
		if len(files) != 1 || files[0] != string(good.File) || len(unread) != 1 || unread[0] != key {
			t.Errorf("%s: %d count, unread %v", name, len(files), unread)
		}
		must(t, m.Delete(t.Context(), key))
	}
	// What no signature was looked at for is told apart by the one who has the key.
	forged := strings.Replace(text, `"recovery_ms":1500`, `"recovery_ms":1501`, 1)
	must(t, m.Put(t.Context(), proofKey(project, cpID, drillID, 2), strings.NewReader(forged), int64(len(forged))))
	all, err := cs.Proofs(t.Context(), project, cpID, nil)
	must(t, err)
	if _, err := evidence.Verify(all[0].File, signer(t).Keys()...); karbor.KindOf(err) != karbor.Invalid {
		t.Errorf("a changed record is believed: %v", err)
	}
	stray := proofsPrefix(project, cpID) + "notes"
	must(t, m.Put(t.Context(), stray, strings.NewReader("x"), 1))
	if _, unread := proofsOf(t, cs); len(unread) != 1 || unread[0] != stray {
		t.Errorf("a stray object: %v", unread)
	}
}

func TestSealedEvidenceIsReadAndWrittenWithTheKeyOnly(t *testing.T) {
	m, cs := whole(t, newRing(t))
	must(t, cs.PutProof(t.Context(), project, cpID, drilled(t, nil)))
	key := proofKey(project, cpID, drillID, 1)
	if text := m.Snapshot()[key]; strings.Contains(text, "passed") || strings.Contains(text, "My plan") {
		t.Errorf("it lies in the clear: %s", text)
	}
	without := open(t, m, newClock(), "b")
	found, err := without.Proofs(t.Context(), project, cpID, func(u UnreadProof) error {
		if !errors.As(u.Err, new(*ClosedError)) || u.DrillID != drillID {
			t.Errorf("%+v", u)
		}
		return nil
	})
	if err != nil || len(found) != 0 {
		t.Errorf("without the key: %v, %v", found, err)
	}
	if err := without.PutProof(t.Context(), project, cpID, drilled(t, nil)); !errors.As(err, new(*ClosedError)) {
		t.Errorf("written without the key: %v", err)
	}
	plain, other := whole(t, nil)
	must(t, other.PutProof(t.Context(), project, cpID, drilled(t, nil)))
	forged := plain.Snapshot()[key]
	must(t, m.Put(t.Context(), key, strings.NewReader(forged), int64(len(forged))))
	if files, unread := proofsOf(t, cs); len(files) != 0 || len(unread) != 1 {
		t.Errorf("forged in the clear: %d count, unread %v", len(files), unread)
	}
}

// deleter is a bank in which the checkpoint is deleted whole as soon as evidence was written.
type deleter struct {
	bank.Bank
	delete func()
}

func (d *deleter) Create(ctx context.Context, key string, body io.Reader, size int64) error {
	err := d.Bank.Create(ctx, key, body, size)
	if strings.Contains(key, "/evidence/") && d.delete != nil {
		now := d.delete
		d.delete = nil
		now()
	}
	return err
}

func TestNoEvidenceIsLeftOfACheckpointThatIsDeletedMeanwhile(t *testing.T) {
	for _, purged := range []bool{false, true} {
		m, cs := whole(t, nil)
		racing := &deleter{Bank: m}
		writer := open(t, racing, newClock(), "b")
		racing.delete = func() {
			must(t, cs.SetState(t.Context(), project, cpID, karbor.CheckpointDeleting, Change{}))
			if purged {
				must(t, cs.Purge(t.Context(), project, cpID))
			}
		}
		err := writer.PutProof(t.Context(), project, cpID, drilled(t, nil))
		if kind := karbor.KindOf(err); purged && kind != karbor.NotFound || !purged && kind != karbor.Conflict {
			t.Errorf("purged %v: %v", purged, err)
		}
		for key := range m.Snapshot() {
			if strings.Contains(key, "/evidence/") {
				t.Errorf("%s is left", key)
			}
		}
	}
	// And what was there goes with its checkpoint.
	m, cs := whole(t, nil)
	must(t, cs.PutProof(t.Context(), project, cpID, drilled(t, nil)))
	must(t, cs.SetState(t.Context(), project, cpID, karbor.CheckpointDeleting, Change{}))
	must(t, cs.Purge(t.Context(), project, cpID))
	for key := range m.Snapshot() {
		if strings.Contains(key, "/evidence/") {
			t.Errorf("%s is left", key)
		}
	}
	if err := cs.PutProof(t.Context(), project, cpID, drilled(t, nil)); karbor.KindOf(err) != karbor.NotFound {
		t.Errorf("of a deleted one: %v", err)
	}
}

func TestALockOfEvidenceKeepsItsCheckpoint(t *testing.T) {
	c := newClock()
	cs := open(t, locking{memory(c)}, c, "a")
	must(t, cs.Create(t.Context(), sample()))
	must(t, cs.SetState(t.Context(), project, cpID, karbor.CheckpointAvailable, Change{}))
	c.move(30 * time.Minute)
	must(t, cs.Lease().Acquire(t.Context()))
	must(t, cs.PutProof(t.Context(), project, cpID, drilled(t, nil)))
	c.move(31 * time.Minute) // the locks of all else are over
	wantKind(t, cs.MayRemove(t.Context(), project, cpID), karbor.Conflict)
	c.move(30 * time.Minute)
	must(t, cs.MayRemove(t.Context(), project, cpID))
}
