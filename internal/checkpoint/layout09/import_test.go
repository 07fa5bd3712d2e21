package layout09_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank/banktest"
	"github.com/karbor/karbor/internal/checkpoint"
	"github.com/karbor/karbor/internal/checkpoint/layout09"
	"github.com/karbor/karbor/internal/repository/chunks"
	"github.com/karbor/karbor/protection"
)

// open1 opens a bank of layout 1 for an owner.
func open1(t testing.TB, b *banktest.Memory, owner string) (*checkpoint.Checkpoints, layout09.Target) {
	t.Helper()
	cs, err := checkpoint.Open(t.Context(), b, checkpoint.Options{Owner: owner, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	if err := cs.Lease().Acquire(t.Context()); err != nil {
		t.Fatal(err)
	}
	return cs, layout09.Target{
		Checkpoints: cs, ProviderID: "aaaaaaaa-1111-4111-8111-111111111111",
		Data: func(_ context.Context, project, id string, key karbor.NodeKey) (protection.Repository, error) {
			section, err := cs.Data(project, id, key)
			if err != nil {
				return nil, err
			}
			return chunks.New(section, chunks.Options{ChunkSize: 1 << 10})
		},
	}
}

// twoVolumes is a checkpoint of two volumes, one of them kept by Python 3.
func twoVolumes(t testing.TB) (bankFolder, map[string][]byte) {
	t.Helper()
	b := newBank(t)
	content := map[string][]byte{
		volume1: []byte(strings.Repeat("karbor\x00\xff\xfe", 777)),
		volume2: []byte(strings.Repeat("text \x00\n\"\\ käse 🧀", 500)),
	}
	b.checkpoint("available", map[string][]any{
		"0x0": node("OS::Cinder::Volume", volume1, "raw", nil),
		"0x1": node("OS::Cinder::Volume", volume2, "text", object{"availability_zone": "nova"}),
	}, nil)
	b.volume(volume1, content[volume1], 512, false)
	b.volume(volume2, content[volume2], len("text \x00\n\"\\ käse 🧀")*40, true)
	return b, content
}

// bytesIn reads a node's bulk data in a bank of layout 1.
func bytesIn(t testing.TB, to layout09.Target, key karbor.NodeKey) []byte {
	t.Helper()
	data, err := to.Data(t.Context(), project, cpID, key)
	if err != nil {
		t.Fatal(err)
	}
	r, err := data.Open(t.Context(), "data")
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(r)
	if err = errors.Join(err, r.Close()); err != nil {
		t.Fatal(err)
	}
	return got
}

func TestCheckpointIsImported(t *testing.T) {
	b, content := twoVolumes(t)
	i, err := b.open().Prepare(t.Context(), cpID)
	if err != nil {
		t.Fatal(err)
	}
	total := int64(len(content[volume1]) + len(content[volume2]))
	if i.Size != total {
		t.Errorf("it has %d bytes, want %d", i.Size, total)
	}
	cs, to := open1(t, banktest.NewMemory(), "importer")
	var last int64
	if err := i.Run(t.Context(), to, func(done, of int64) {
		if done < last || of != total {
			t.Errorf("%d of %d after %d", done, of, last)
		}
		last = done
	}); err != nil || last != total {
		t.Fatalf("%d bytes, %v", last, err)
	}
	got, err := cs.Get(t.Context(), project, cpID)
	if err != nil {
		t.Fatal(err)
	}
	if got.Status != karbor.CheckpointAvailable || got.Size != total || got.ProviderID != to.ProviderID || got.Plan.ProviderID != to.ProviderID ||
		got.Plan.Name != "old plan" || got.Plan.ID != planID || !got.CreatedAt.Equal(time.Unix(1795220538, 0)) || len(got.Graph.Nodes()) != 2 {
		t.Errorf("%+v", got)
	}
	if diff := cmp.Diff(map[string]json.RawMessage{"created_by": json.RawMessage(`"manual"`), "imported_from": json.RawMessage(`"layout 0.9"`)}, got.ExtraInfo); diff != "" {
		t.Error(diff)
	}
	for id, want := range content {
		if !bytes.Equal(bytesIn(t, to, karbor.NodeKey("volume/"+id)), want) {
			t.Errorf("volume %s has other bytes", id)
		}
	}
	docs, err := cs.Documents(project, cpID, "volume/"+volume2)
	if err != nil {
		t.Fatal(err)
	}
	var doc map[string]any
	if err := docs.GetJSON(t.Context(), "metadata", &doc); err != nil || doc["name"] != "text" || doc["availability_zone"] != "nova" || doc["size"] != 1.0 {
		t.Errorf("%v, %v", doc, err)
	}
	if err := i.Run(t.Context(), to, nil); karbor.KindOf(err) != karbor.Conflict {
		t.Errorf("imported twice: %v", err)
	}
}

func TestImportGoesOnAfterACrashAtEveryCall(t *testing.T) {
	b, content := twoVolumes(t)
	c := b.open()
	for n := 1; ; n++ {
		m := banktest.NewMemory()
		f := banktest.NewFaulty(m)
		i, err := c.Prepare(t.Context(), cpID)
		if err != nil {
			t.Fatal(err)
		}
		cs, err := checkpoint.Open(t.Context(), f, checkpoint.Options{Owner: "importer", Now: time.Now})
		if err != nil {
			t.Fatal(err)
		}
		if err := cs.Lease().Acquire(t.Context()); err != nil {
			t.Fatal(err)
		}
		f.Add(banktest.Fault{Method: banktest.Any, Nth: n, Onward: true})
		err = i.Run(t.Context(), layout09.Target{Checkpoints: cs, ProviderID: "aaaaaaaa-1111-4111-8111-111111111111",
			Data: func(_ context.Context, project, id string, key karbor.NodeKey) (protection.Repository, error) {
				section, err := cs.Data(project, id, key)
				if err != nil {
					return nil, err
				}
				return chunks.New(section, chunks.Options{ChunkSize: 4 << 10})
			}}, nil)
		done := err == nil
		again, to := open1(t, m, "importer")
		if err := i.Run(t.Context(), to, nil); err != nil && karbor.KindOf(err) != karbor.Conflict {
			t.Fatalf("after call %d: %v", n, err)
		}
		if cp, err := again.Get(t.Context(), project, cpID); err != nil || cp.Status != karbor.CheckpointAvailable {
			t.Fatalf("after call %d: %v, %v", n, cp.Status, err)
		}
		for id, want := range content {
			if !bytes.Equal(bytesIn(t, to, karbor.NodeKey("volume/"+id)), want) {
				t.Fatalf("after call %d volume %s has other bytes", n, id)
			}
		}
		if done {
			if n < 20 {
				t.Errorf("there were %d calls only", n)
			}
			return
		}
	}
}

func TestDamagedBytesAreNotImportedAsWhole(t *testing.T) {
	for name, damage := range map[string]func(b bankFolder){
		"a changed byte":  func(b bankFolder) { b.put(resourceKey(volume1, "data_2"), []byte(strings.Repeat("x", 512))) },
		"a shorter piece": func(b bankFolder) { b.put(resourceKey(volume1, "data_2"), []byte("x")) },
		"a cut off text":  func(b bankFolder) { b.put(resourceKey(volume2, "data_3"), []byte(`"cut off`)) },
	} {
		t.Run(name, func(t *testing.T) {
			b, _ := twoVolumes(t)
			damage(b)
			c := b.open()
			findings, err := c.Verify(t.Context(), cpID, nil)
			if err != nil || len(findings) != 2 || (findings[0].Err == nil) == (findings[1].Err == nil) {
				t.Errorf("found %+v, %v", findings, err)
			}
			i, err := c.Prepare(t.Context(), cpID)
			if err != nil {
				if !errors.As(err, new(*layout09.DamageError)) {
					t.Errorf("prepare: %v", err)
				}
				return
			}
			cs, to := open1(t, banktest.NewMemory(), "importer")
			if err := i.Run(t.Context(), to, nil); !errors.As(err, new(*layout09.DamageError)) {
				t.Errorf("run: %v", err)
			}
			cp, err := cs.Get(t.Context(), project, cpID)
			if err != nil || cp.Status != karbor.CheckpointError || cp.Reasons["OS::Cinder::Volume#"+volume1] == "" {
				t.Errorf("%v %v, %v", cp.Status, cp.Reasons, err)
			}
		})
	}
}

func TestWhatCannotBeImportedIsRefusedBeforeAnythingIsWritten(t *testing.T) {
	for name, test := range map[string]struct {
		change func(b bankFolder)
		want   string
		kind   karbor.Kind
	}{
		"a missing piece": {func(b bankFolder) { b.remove(resourceKey(volume1, "data_2")) }, "data_2: it is missing", karbor.Internal},
		"a Cinder backup": {func(b bankFolder) {
			b.put(resourceKey(volume1, "metadata"), object{"volume_id": volume1, "backup_id": "backup-1"})
		}, "in the cloud as backup backup-1", karbor.NotImplemented},
		"a snapshot": {func(b bankFolder) {
			b.put(resourceKey(volume1, "metadata"), object{"volume_id": volume1, "size": 1, "snapshot_id": "s-1"})
		}, "in the cloud as snapshot s-1", karbor.NotImplemented},
		"another format": {func(b bankFolder) {
			b.put(resourceKey(volume1, "metadata"), object{"volume_id": volume1, "chunks_num": 1, "image_metadata": object{"disk_format": "qcow2"}})
		}, `format "qcow2"`, karbor.NotImplemented},
		"no metadata":      {func(b bankFolder) { b.remove(resourceKey(volume1, "metadata")) }, "it is missing", karbor.Internal},
		"a failed one":     {func(b bankFolder) { b.put(resourceKey(volume1, "status"), "error") }, `state "error"`, karbor.Conflict},
		"no JSON":          {func(b bankFolder) { b.put(resourceKey(volume1, "metadata"), "{") }, "no JSON", karbor.Internal},
		"a wild number":    {func(b bankFolder) { b.put(resourceKey(volume1, "metadata"), object{"chunks_num": -1}) }, "-1 pieces", karbor.Internal},
		"no longer there":  {func(b bankFolder) { b.remove("checkpoints/" + cpID + "/index.json") }, "could not be found", karbor.NotFound},
		"still being made": {func(b bankFolder) { b.checkpoint("protecting", map[string][]any{}, nil) }, "is protecting", karbor.Conflict},
		"a share": {func(b bankFolder) {
			b.checkpoint("available", map[string][]any{"0x0": node("OS::Manila::Share", volume1, "x", nil)}, nil)
		}, "can't be read by this version", karbor.NotImplemented},
		"an unknown type": {func(b bankFolder) {
			b.checkpoint("available", map[string][]any{"0x0": node("OS::Bogus", volume1, "x", nil)}, nil)
		}, "unknown type", karbor.Invalid},
	} {
		t.Run(name, func(t *testing.T) {
			b, _ := twoVolumes(t)
			test.change(b)
			_, err := b.open().Prepare(t.Context(), cpID)
			if err == nil || !strings.Contains(err.Error(), test.want) || karbor.KindOf(err) != test.kind {
				t.Errorf("%v, kind %v", err, karbor.KindOf(err))
			}
		})
	}
}

func TestNodeIsReadAsAPluginDoesWithoutAnImport(t *testing.T) {
	b, content := twoVolumes(t)
	c := b.open()
	cp, err := c.Get(t.Context(), cpID)
	if err != nil {
		t.Fatal(err)
	}
	all, err := c.Contents(t.Context(), cp)
	if err != nil {
		t.Fatal(err)
	}
	n, err := all.Node(t.Context(), "volume/"+volume2)
	if err != nil {
		t.Fatal(err)
	}
	var documents protection.Documents = n
	var doc struct{ Name string }
	if err := documents.GetJSON(t.Context(), "metadata", &doc); err != nil || doc.Name != "text" {
		t.Errorf("%v, %v", doc, err)
	}
	if err := documents.GetJSON(t.Context(), "other", &doc); karbor.KindOf(err) != karbor.NotFound {
		t.Errorf("another document: %v", err)
	}
	for what, err := range map[string]error{
		"a document": documents.CreateJSON(t.Context(), "x", 1),
		"data":       n.Data().Remove(t.Context(), "data"),
	} {
		if karbor.KindOf(err) != karbor.Forbidden || err == nil {
			t.Errorf("%s is written: %v", what, err)
		}
	}
	summary, err := n.Data().Stat(t.Context(), "data")
	if err != nil || summary.Size != int64(len(content[volume2])) {
		t.Errorf("%+v, %v", summary, err)
	}
	if err := n.Data().Verify(t.Context(), "data", nil); err != nil {
		t.Error(err)
	}
	if _, err := n.Data().Open(t.Context(), "more"); karbor.KindOf(err) != karbor.NotFound {
		t.Errorf("other data: %v", err)
	}
	if _, err := all.Node(t.Context(), "volume/x"); karbor.KindOf(err) != karbor.NotFound {
		t.Errorf("another node: %v", err)
	}
}
