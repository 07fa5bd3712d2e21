package main

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank"
	"github.com/karbor/karbor/bank/file"
	"github.com/karbor/karbor/internal/checkpoint"
	streaming "github.com/karbor/karbor/internal/repository"
	"github.com/karbor/karbor/internal/repository/collection"
	"github.com/karbor/karbor/internal/repository/format"
	"github.com/karbor/karbor/internal/repository/keyring"
	"github.com/karbor/karbor/internal/repository/verification"
)

// The bank of services: what many of them leave behind. It was written once with go test ./test/reader -run Golden
// -update, which writes what is not there, and never changes what is.
const (
	servicesFolder = "testdata/golden/v1-service"
	projectOne     = "11111111111111111111111111111111"
	projectTwo     = "22222222222222222222222222222222"
	projectClear   = "33333333333333333333333333333333"
	servicesSecret = "https://barbican.example/v1/secrets/40000000-0000-4000-8000-000000000001"
)

// payload is a secret that Barbican would keep.
type payload []byte

func (p payload) Payload(context.Context, string) ([]byte, error) { return p, nil }

// servicesWay gives a way into the bank of services.
func servicesWay(t testing.TB, kind format.SlotKind) *keyring.Source {
	t.Helper()
	path := func(name string) string { return filepath.Join(servicesFolder, name) }
	switch kind {
	case format.PassphraseSlot:
		return keyring.PassphraseFile(path("passphrase"))
	case format.RecoverySlot:
		return keyring.RecoveryFile(path("recovery-key"))
	case format.BarbicanSlot:
		text, err := os.ReadFile(path("secret"))
		if err != nil {
			t.Fatal(err)
		}
		secret, err := hex.DecodeString(strings.TrimSpace(string(text)))
		if err != nil {
			t.Fatal(err)
		}
		return keyring.Barbican(servicesSecret, payload(secret))
	default:
		return keyring.KeyFile(path("key"))
	}
}

var slotKinds = []format.SlotKind{format.FileSlot, format.PassphraseSlot, format.BarbicanSlot, format.RecoverySlot}

// services write the bank.
type services struct {
	t       *testing.T
	bank    *file.Bank
	domains *streaming.Domains
	lines   []goldenStream
}

// begin is the start of a service: with new sessions.
func (s *services) begin() {
	s.t.Helper()
	if s.domains != nil {
		check(s.t, s.domains.Close(s.t.Context()))
	}
	var sources []*keyring.Source
	for _, kind := range slotKinds {
		sources = append(sources, servicesWay(s.t, kind))
	}
	var err error
	s.domains, err = streaming.NewDomains(streaming.Options{Bank: s.bank, Keys: sources[:3], Recovery: sources[3], Now: time.Now})
	check(s.t, err)
}

// checkpoints gives those of the bank; sealed, but for projectClear.
func (s *services) checkpoints(project string) *checkpoint.Checkpoints {
	s.t.Helper()
	o := checkpoint.Options{Owner: "site.one", Now: time.Now}
	if project != projectClear {
		o.Sealer = s.domains
	}
	c, err := checkpoint.Open(s.t.Context(), s.bank, o)
	check(s.t, err)
	check(s.t, c.Lease().Acquire(s.t.Context()))
	return c
}

// protect makes an available checkpoint of a volume.
func (s *services) protect(project, id string, content []byte) {
	s.t.Helper()
	ctx, t := s.t.Context(), s.t
	c := s.checkpoints(project)
	graph := &karbor.Graph{}
	volume := graph.Add(karbor.Resource{Type: karbor.VolumeType, ID: serviceVolume, Name: "data of " + project[:4]}, "")
	check(t, c.Create(ctx, karbor.Checkpoint{ID: id, ProjectID: project, ProviderID: "provider", Graph: graph,
		Plan:      karbor.PlanRecord{ID: "plan", Name: "nightly", ProviderID: "provider", Resources: []karbor.Resource{volume.Resource}},
		CreatedAt: time.Now().UTC().Truncate(time.Microsecond)}))
	documents, err := c.Documents(project, id, volume.Key())
	check(t, err)
	check(t, documents.CreateJSON(ctx, "metadata", map[string]any{"name": "data", "size": 1}))
	section, err := c.Data(project, id, volume.Key())
	check(t, err)
	o := streaming.StreamsOptions{Project: project, Section: section}
	if project != projectClear {
		o.Domains = s.domains
	}
	streams, err := streaming.NewStreams(o)
	check(t, err)
	w, err := streams.Create(ctx, "volume")
	check(t, err)
	_, err = w.Write(content)
	check(t, err)
	_, err = w.Commit(ctx)
	check(t, err)
	check(t, c.SetState(ctx, project, id, karbor.CheckpointAvailable, checkpoint.Change{Size: int64(len(content))}))
	check(t, c.Lease().Release(ctx))
	digest := newHashing()
	_, _ = digest.Write(content)
	s.lines = append(s.lines, digest.stream("v1/checkpoints/"+project+"/"+id+"/nodes/volume/"+serviceVolume+"/data/volume/manifest"))
}

// remove deletes a checkpoint, and leaves its tombstone.
func (s *services) remove(project, id string) {
	s.t.Helper()
	c := s.checkpoints(project)
	check(s.t, c.SetState(s.t.Context(), project, id, karbor.CheckpointDeleting, checkpoint.Change{}))
	check(s.t, c.Purge(s.t.Context(), project, id))
	check(s.t, c.Lease().Release(s.t.Context()))
	for i, line := range s.lines {
		if strings.Contains(line.Manifest, id) {
			s.lines = append(s.lines[:i], s.lines[i+1:]...)
			return
		}
	}
}

// harm changes a byte of a project's first pack of data, and marks it.
func (s *services) harm(project string) {
	s.t.Helper()
	ctx := s.t.Context()
	prefix := "v1/repositories/" + project + "/packs/"
	found, err := s.bank.List(ctx, prefix, "", 1)
	check(s.t, err)
	content := get(s.t, s.bank, found[0].Key)
	content[packHead+50] ^= 16
	check(s.t, s.bank.Put(ctx, found[0].Key, bytes.NewReader(content), int64(len(content))))
	name, _ := format.ParseName(filepath.Base(found[0].Key))
	check(s.t, verification.Mark(ctx, s.bank, project, []verification.Damage{{Kind: format.Data, Pack: name, Why: "a byte of it was changed"}}, time.Now()))
}

// checkpointID numbers the checkpoints.
func checkpointID(n byte) string { return serviceCheckpoint + string('0'+n) }

func writeServices(t *testing.T) {
	t.Helper()
	if _, err := os.Stat(servicesFolder); err == nil {
		return // it is frozen
	}
	check(t, os.MkdirAll(servicesFolder, 0o700))
	for _, name := range []string{"key", "recovery-key", "secret"} {
		check(t, keyring.WriteKeyFile(filepath.Join(servicesFolder, name)))
	}
	check(t, os.WriteFile(filepath.Join(servicesFolder, "passphrase"), []byte(goldenPassphrase+"\n"), 0o600))
	bank, err := file.Open(t.Context(), file.Options{Path: t.TempDir()})
	check(t, err)
	s := &services{t: t, bank: bank}
	// A hole ends what is cut together, so what lies before it is shared; and what is rewritten later needs several groups.
	shared, own := append(prose(11, 64<<10), make([]byte, 64<<10)...), append(blocks(16, 2<<20), noise(12, 90_000)...)
	second := append(prose(13, 64<<10), make([]byte, 128<<10)...)
	s.begin()
	s.protect(projectOne, checkpointID(1), append(bytes.Clone(shared), own...))
	s.protect(projectTwo, checkpointID(2), second)
	s.protect(projectClear, checkpointID(3), prose(14, 5000))
	s.begin()
	s.protect(projectOne, checkpointID(4), append(bytes.Clone(shared), blocks(15, 128<<10)...))
	s.remove(projectOne, checkpointID(1))
	r, err := s.domains.Collect(t.Context(), projectOne, collection.Options{}, nil)
	if err != nil || r.Rewritten == 0 || r.Deleted == 0 {
		t.Fatalf("%+v, %v", r, err)
	}
	s.harm(projectTwo)
	s.begin()
	s.protect(projectTwo, checkpointID(5), append(bytes.Clone(second), "once more"...))
	s.protect(projectOne, checkpointID(6), append(bytes.Clone(shared), "more"...))
	// The last service was killed: its sessions are still there.
	copyBank(t, bank, filepath.Join(servicesFolder, "bank"))
	check(t, s.domains.Close(t.Context()))
	check(t, bank.Close())
	text, err := json.MarshalIndent(s.lines, "", "  ")
	check(t, err)
	check(t, os.WriteFile(filepath.Join(servicesFolder, "streams.json"), append(text, '\n'), 0o600))
}

// copyBank writes all objects of a bank to a folder, as a file bank has them.
func copyBank(t *testing.T, from *file.Bank, to string) {
	t.Helper()
	found, err := from.List(t.Context(), "", "", bank.MaxList)
	check(t, err)
	for _, info := range found {
		path := filepath.Join(to, info.Key+"=")
		check(t, os.MkdirAll(filepath.Dir(path), 0o700))
		check(t, os.WriteFile(path, get(t, from, info.Key), 0o600))
	}
}
