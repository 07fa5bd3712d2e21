package protectionservice_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank"
	"github.com/karbor/karbor/bank/banktest"
	"github.com/karbor/karbor/internal/protectionservice"
	"github.com/karbor/karbor/internal/protectionservice/custody"
	"github.com/karbor/karbor/internal/protectionservice/deadline"
	"github.com/karbor/karbor/internal/protectionservice/delegation"
	"github.com/karbor/karbor/internal/protectionservice/inventory"
	"github.com/karbor/karbor/internal/provider"
	"github.com/karbor/karbor/internal/store"
	"github.com/karbor/karbor/internal/store/storetest"
	"github.com/karbor/karbor/internal/workflow"
	"github.com/karbor/karbor/internal/workflow/local"
	"github.com/karbor/karbor/plugin"
	"github.com/karbor/karbor/protectable"
	"github.com/karbor/karbor/protection"
)

const (
	providerID = "11111111-1111-4111-8111-111111111111"
	projectID  = "0123456789abcdef0123456789abcdef"
	otherCloud = "https://other.example/v3"
)

// finder is a protectable plug-in over a fixed tree.
type finder struct {
	t        karbor.ResourceType
	children map[string][]protectable.Dependent
}

func (f finder) Type() karbor.ResourceType { return f.t }
func (f finder) Parents() []karbor.ResourceType {
	return []karbor.ResourceType{karbor.ProjectType, karbor.ServerType}
}
func (f finder) List(context.Context, karbor.Cloud, protectable.Query) ([]karbor.Resource, error) {
	return nil, nil
}
func (f finder) Show(_ context.Context, _ karbor.Cloud, id string, _ map[string]any) (karbor.Resource, error) {
	return karbor.Resource{Type: f.t, ID: id}, nil
}
func (f finder) Dependents(_ context.Context, _ karbor.Cloud, parent karbor.Resource) ([]protectable.Dependent, error) {
	if parent.ID == "gone" {
		return nil, karbor.Errorf(karbor.NotFound, "no such server")
	}
	return f.children[parent.ID], nil
}

// logged is what a service has logged.
type logged struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// site is a whole service whose process can be killed and started again: the
// database's file and the bank stay.
type site struct {
	t    *testing.T
	dir  string
	bank *banktest.Memory
	full atomic.Bool
	logs logged
	// refuses has the bank never remove a claim, and holds has it not answer to that: then atClaim tells
	// of each such request.
	refuses, holds atomic.Bool
	atClaim        chan struct{}
	// stuck has the bank refuse to delete what belongs to nodes.
	stuck atomic.Bool
	// mute has the engine not say how far anything is.
	mute atomic.Bool
	// locked has the bank keep what it has, for so long from when it was written.
	locked atomic.Int64
	// deaf has the bank not answer, and reads, if positive, fail all but so many reads
	// of descriptions less one.
	deaf  atomic.Bool
	reads atomic.Int64
	// slow is how long the bank takes to keep a thing, and waits how many of those requests
	// it has not answered.
	slow, waits atomic.Int64
	// none has the process start without its provider, lost with an engine that
	// has lost its journal; over is an operation that its engine takes for over.
	none, lost bool
	// repository is the section of the provider's file, "" for none.
	repository string
	over       string
	balky      *balky
	// far is the bank of a copy target that a provider's file may name.
	far       *far
	script    *script
	finders   []protectable.Plugin
	authority *authority

	providers   []*provider.Provider
	store       *store.Store
	delegations *delegation.Registry
	keeper      *custody.Keeper
	service     *protectionservice.Service
	engine      workflow.Engine
	stop        func()
	ahead       time.Duration // of the service's clock
	// still, if any, is when the service's clock stands still.
	still  atomic.Pointer[time.Time]
	settle time.Duration
	// deadline is how old an operation may become.
	deadline time.Duration
	bounded
	// phases are how long hooks may get no further.
	phases deadline.Limits
	// drills is the same each time that the process starts, as its key is.
	drills protectionservice.Drills
}

func newSite(t *testing.T) *site {
	t.Helper()
	s := &site{
		t: t, dir: t.TempDir(), bank: banktest.NewMemory(), far: &far{Memory: banktest.NewMemory()}, authority: &authority{}, drills: drills(t),
		atClaim: make(chan struct{}, 100),
		script:  &script{hooks: map[karbor.OperationType]map[karbor.ResourceType]protection.Hooks{}},
	}
	storetest.NewFile(t, filepath.Join(s.dir, "karbor.db"))
	s.start()
	t.Cleanup(func() { s.stop() })
	s.usable()
	return s
}

// usable waits until the providers can be used, and what was in their banks is known: on a
// loaded machine the lease in the bank may take more than one try.
func (s *site) usable() {
	s.t.Helper()
	s.poll(func() bool {
		return !slices.ContainsFunc(s.providers, func(p *provider.Provider) bool { return s.keeper.Usable(p) != nil })
	})
}

// start starts the process.
func (s *site) start() {
	t := s.t
	t.Helper()
	ctx := context.Background()
	providers := filepath.Join(s.dir, "providers.d")
	text := fmt.Sprintf("id: %s\nname: test\nbank: {plugin: memory}\nplugins: [{plugin: script}]\n", providerID) + s.repository
	if err := os.MkdirAll(providers, 0o700); err != nil {
		t.Fatal(err)
	}
	if s.none {
		text = strings.Replace(text, providerID, karbor.NewID(), 1)
	}
	if err := os.WriteFile(filepath.Join(providers, "p.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	out := io.MultiWriter(t.Output(), &s.logs)
	log := slog.New(slog.NewTextHandler(out, nil))
	none := func() struct{} { return struct{}{} }
	loaded, err := provider.Load(ctx, providers, provider.Sets{
		Banks: plugin.Set[bank.Bank]{plugin.Define("memory", "", none, func(context.Context, struct{}) (bank.Bank, error) {
			return kept{s.bank, s}, nil
		}), plugin.Define("far", "", none, func(context.Context, struct{}) (bank.Bank, error) {
			return farBank{s.far.Memory, s.far}, nil
		})},
		Protections: plugin.Set[protection.Plugin]{plugin.Define("script", "", none, func(context.Context, struct{}) (protection.Plugin, error) {
			return s.script, nil
		})},
	}, provider.Options{Owner: "me", Now: time.Now, Logger: slog.New(slog.NewTextHandler(out, &slog.HandlerOptions{Level: slog.LevelWarn}))})
	if err != nil {
		t.Fatal(err)
	}
	s.providers = loaded
	s.store, err = store.Open(ctx, filepath.Join(s.dir, "karbor.db"), store.Options{Now: time.Now, Logger: log})
	if err != nil {
		t.Fatal(err)
	}
	s.delegations, err = delegation.New(delegation.Options{
		Store: s.store, Authority: s.authority, Key: bytes.Repeat([]byte{7}, 32), Lifetime: time.Hour,
		Lending: delegation.Lending{Withheld: []string{"admin"}}, Now: s.now, Logger: log,
	})
	if err != nil {
		t.Fatal(err)
	}
	s.keeper = custody.New(custody.Options{
		Store: s.store, Providers: loaded, Upkeep: custody.Upkeep{Retry: 20 * time.Millisecond, Interval: 50 * time.Millisecond},
		Keys: s.drills.Keys(), Now: s.now, Logger: log,
	})
	found, err := inventory.New(s.finders)
	if err != nil {
		t.Fatal(err)
	}
	s.service = protectionservice.New(protectionservice.Options{
		Drills: s.drills,
		Store:  s.store, Providers: loaded, Inventory: found, Delegations: s.delegations, Installation: "here",
		AdminReads: cloud{}, Targets: []string{otherCloud}, Settle: s.settle, LeftoverTime: time.Hour, Deadline: s.deadline, AtWork: s.atWork, Phases: s.phases, Now: s.now, Logger: log, Custody: s.keeper,
	})
	engine, err := local.New(local.Options{
		Options: workflow.Options{Actions: s.service.Actions(), Default: s.service.Places(), Context: s.service.Context},
		Journal: s.store.Journal(), Owner: "me", Logger: log, Now: time.Now,
	})
	if err != nil {
		t.Fatal(err)
	}
	s.engine = s.mishap(engine, log)
	s.service.SetEngine(s.engine)
	s.keeper.Open(ctx)
	run, cancel := context.WithCancel(ctx)
	var parts sync.WaitGroup
	if !s.lost && s.over == "" {
		parts.Go(func() { _ = engine.Run(run) })
	}
	parts.Go(func() { _ = s.service.Run(run) })
	parts.Go(func() {
		if err := s.keeper.Keep(run); err != nil {
			t.Error(err)
		}
	})
	db := s.store
	ended := make(chan struct{})
	end := sync.OnceFunc(func() {
		cancel()
		go func() {
			defer close(ended)
			parts.Wait()
			for _, p := range loaded {
				_ = p.Close()
			}
			_ = db.Close()
		}()
	})
	s.stop = func() {
		end()
		arrives(t, ended) // a hook of a test that failed may wait for what never comes
	}
}

// open opens the database of a process that has died.
func (s *site) open() *store.Store {
	s.t.Helper()
	db, err := store.Open(s.t.Context(), filepath.Join(s.dir, "karbor.db"), store.Options{Now: time.Now})
	if err != nil {
		s.t.Fatal(err)
	}
	return db
}

// restart ends the process, which breaks off what runs, and starts it again. It waits until the bank can
// be used, if it is one that can.
func (s *site) restart() {
	s.t.Helper()
	s.stop()
	s.start()
	if !s.none && !s.deaf.Load() && !s.full.Load() && s.reads.Load() == 0 {
		s.usable()
	}
}

func (s *site) caller() protectionservice.Caller {
	return protectionservice.Caller{Identity: &karbor.Identity{UserID: "u", ProjectID: projectID, CanDelegate: true}, Cloud: cloud{}}
}

// plan makes a plan of resources.
func (s *site) plan(resources ...karbor.Resource) string {
	s.t.Helper()
	p := karbor.Plan{
		ID: karbor.NewID(), ProjectID: projectID, Name: "p", ProviderID: providerID, Status: karbor.PlanSuspended,
		Resources: resources, Parameters: karbor.Parameters{},
	}
	if err := s.store.CreatePlan(s.t.Context(), p, -1); err != nil {
		s.t.Fatal(err)
	}
	return p.ID
}

// protect protects a plan and gives the checkpoint's id.
func (s *site) protect(plan string) string {
	s.t.Helper()
	cp, err := s.service.Protect(s.t.Context(), s.caller(), protectionservice.ProtectRequest{ProviderID: providerID, PlanID: plan})
	if err != nil {
		s.t.Fatal(err)
	}
	return cp.ID
}

// patience bounds what a test waits for; it never decides what is right.
const patience = 30 * time.Second

// arrives receives what a hook tells. A hook that never begins, as its operation has failed, fails the
// test, and does not hold it.
func arrives[T any](t testing.TB, told <-chan T) T {
	t.Helper()
	late := time.NewTimer(patience)
	defer late.Stop()
	select {
	case v := <-told:
		return v
	case <-late.C:
		t.Fatal("what is waited for does not come")
		panic("unreachable")
	}
}

// until waits until the checkpoint is in none of the states that pass by.
func (s *site) until(id string) karbor.Checkpoint {
	s.t.Helper()
	var cp karbor.Checkpoint
	s.poll(func() bool {
		var err error
		cp, err = s.store.Checkpoint(s.t.Context(), projectID, providerID, id)
		if karbor.KindOf(err) == karbor.NotFound {
			cp.Status = karbor.CheckpointDeleted
			return true
		}
		if err != nil {
			s.t.Fatal(err)
		}
		return cp.Status != karbor.CheckpointProtecting && cp.Status != karbor.CheckpointDeleting
	})
	return cp
}

func (s *site) untilRestored(id string) karbor.Restore {
	s.t.Helper()
	var r karbor.Restore
	s.poll(func() bool {
		var err error
		if r, err = s.store.Restore(s.t.Context(), projectID, id); err != nil {
			s.t.Fatal(err)
		}
		return r.Status != karbor.RestoreInProgress
	})
	return r
}

func (s *site) poll(done func() bool) {
	s.t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-tick.C:
		case <-deadline.C:
			s.t.Fatal("it takes too long")
		}
	}
}

// revoked waits until all delegations but a number are revoked.
func (s *site) revoked(open int) {
	s.t.Helper()
	s.poll(func() bool {
		granted, revoked := s.authority.counts()
		return granted-revoked == open
	})
}
