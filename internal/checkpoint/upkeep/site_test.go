package upkeep_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank"
	"github.com/karbor/karbor/bank/banktest"
	"github.com/karbor/karbor/internal/checkpoint"
	"github.com/karbor/karbor/internal/checkpoint/upkeep"
	"github.com/karbor/karbor/internal/repository"
	"github.com/karbor/karbor/internal/repository/keyring"
)

const (
	project = "0123456789abcdef0123456789abcdef"
	volume  = "0a1b2c3d-0001-4002-8003-0000000000aa"
	// lease is how long a lease lives.
	lease = 600 * time.Second
)

// site is a service with its bank.
type site struct {
	t           *testing.T
	bank        bank.Bank
	memory      *banktest.Memory
	domains     *repository.Domains
	checkpoints *checkpoint.Checkpoints
	log         *log
	key         karbor.Secret
	// states is the folder that outlives a Keeper; "" is none.
	states string
}

// log keeps what was logged.
type log struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *log) count(what string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.text.String(), what)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// newSite opens a service on a bank; nil is a new one.
func newSite(t *testing.T, b bank.Bank, key karbor.Secret) *site {
	t.Helper()
	s := &site{t: t, bank: b, log: &log{}, key: key}
	if b == nil {
		s.memory = banktest.NewMemory()
		s.bank, s.key = s.memory, keyring.NewKey()
	} else {
		s.memory, _ = b.(*banktest.Memory)
	}
	var err error
	s.domains, err = repository.NewDomains(repository.Options{Bank: s.bank, Keys: []*keyring.Source{keyring.Key(s.key)}, Now: time.Now})
	must(t, err)
	s.checkpoints, err = checkpoint.Open(t.Context(), s.bank, checkpoint.Options{Owner: "site", Now: time.Now})
	must(t, err)
	return s
}

func (s *site) close() {
	s.t.Helper()
	must(s.t, s.domains.Close(context.WithoutCancel(s.t.Context())))
}

// keeper runs a Keeper until stop.
func (s *site) keeper(o upkeep.Options) (k *upkeep.Keeper, stop func()) {
	s.t.Helper()
	o.Name, o.Bank, o.Checkpoints, o.Domains, o.Now = "main", s.bank, s.checkpoints, s.domains, time.Now
	o.Logger = slog.New(slog.NewTextHandler(s.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	k, err := upkeep.New(o)
	must(s.t, err)
	ctx, cancel := context.WithCancel(s.t.Context())
	var running sync.WaitGroup
	running.Go(func() { k.Run(ctx) })
	return k, func() {
		cancel()
		running.Wait()
	}
}

// content gives what can't be made shorter.
func content(seed byte) []byte {
	out := make([]byte, 300_000)
	_, _ = rand.NewChaCha8([32]byte{seed}).Read(out)
	return out
}

func id(n byte) string { return fmt.Sprintf("0a1b2c3d-0001-4002-8003-%012d", n) }

func (s *site) streams(n byte) *repository.Streams {
	s.t.Helper()
	section, err := s.checkpoints.Data(project, id(n), karbor.NodeKey("volume/"+volume))
	must(s.t, err)
	streams, err := repository.NewStreams(repository.StreamsOptions{Domains: s.domains, Project: project, Section: section})
	must(s.t, err)
	return streams
}

// protect makes an available checkpoint, whose data is content(n).
func (s *site) protect(n byte) {
	s.t.Helper()
	ctx := s.t.Context()
	must(s.t, s.checkpoints.Lease().Acquire(ctx))
	graph := &karbor.Graph{}
	graph.Add(karbor.Resource{Type: karbor.VolumeType, ID: volume, Name: "data"}, "")
	must(s.t, s.checkpoints.Create(ctx, karbor.Checkpoint{ID: id(n), ProjectID: project, ProviderID: "provider", Graph: graph,
		Plan: karbor.PlanRecord{ID: "plan", Name: "plan", ProviderID: "provider"}, CreatedAt: time.Now().UTC()}))
	w, err := s.streams(n).Create(ctx, "disk")
	must(s.t, err)
	_, err = w.Write(content(n))
	must(s.t, err)
	_, err = w.Commit(ctx)
	must(s.t, err)
	must(s.t, s.checkpoints.SetState(ctx, project, id(n), karbor.CheckpointAvailable, checkpoint.Change{Size: 1}))
}

func (s *site) remove(n byte) {
	s.t.Helper()
	must(s.t, s.checkpoints.Lease().Acquire(s.t.Context()))
	must(s.t, s.checkpoints.SetState(s.t.Context(), project, id(n), karbor.CheckpointDeleting, checkpoint.Change{}))
	must(s.t, s.checkpoints.Purge(s.t.Context(), project, id(n)))
}

// reads reports whether a checkpoint's data is what was written.
func (s *site) reads(n byte) error {
	r, err := s.streams(n).Open(s.t.Context(), "disk")
	if err != nil {
		return err
	}
	got, err := io.ReadAll(r)
	if closeErr := r.Close(); err == nil {
		err = closeErr
	}
	if err == nil && !bytes.Equal(got, content(n)) {
		s.t.Errorf("the data of %d is another", n)
	}
	return err
}

// stored is how many bytes the packs have.
func (s *site) stored() (n int) {
	for key, text := range s.memory.Snapshot() {
		if strings.Contains(key, "/packs/") {
			n += len(text)
		}
	}
	return n
}

// epochs is how many epochs were written.
func (s *site) epochs() (n int) {
	for key := range s.memory.Snapshot() {
		if strings.Contains(key, "/epochs/") {
			n = max(n, int(key[len(key)-1]-'0'))
		}
	}
	return n
}

const one = 300_000 // bytes of a checkpoint's data
