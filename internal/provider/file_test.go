package provider_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank"
	"github.com/karbor/karbor/bank/banktest"
	"github.com/karbor/karbor/internal/provider"
	"github.com/karbor/karbor/plugin"
	"github.com/karbor/karbor/protection"
)

// nothing is a plug-in that protects volumes: its one hook does nothing.
type nothing struct{}

func (nothing) Types() []karbor.ResourceType                   { return []karbor.ResourceType{karbor.VolumeType} }
func (nothing) Schemas(karbor.ResourceType) protection.Schemas { return protection.Schemas{} }
func (nothing) Hooks(karbor.OperationType, karbor.ResourceType) protection.Hooks {
	return protection.Hooks{Main: func(context.Context, *protection.Call) error { return nil }}
}

func load(t *testing.T, text string, open func() (bank.Bank, error), now func() time.Time) ([]*provider.Provider, error) {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "p.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return provider.Load(t.Context(), dir, sets(open), provider.Options{Owner: "me", Now: now})
}

// sets are the plug-ins of the tests: the bank memory and the protection nothing.
func sets(open func() (bank.Bank, error)) provider.Sets {
	none := func() struct{} { return struct{}{} }
	return provider.Sets{
		Banks: plugin.Set[bank.Bank]{plugin.Define("memory", "", none, func(context.Context, struct{}) (bank.Bank, error) {
			return open()
		})},
		Protections: plugin.Set[protection.Plugin]{plugin.Define("nothing", "", none, func(context.Context, struct{}) (protection.Plugin, error) {
			return nothing{}, nil
		})},
	}
}

const (
	id   = "id: 11111111-1111-4111-8111-111111111111\n"
	good = id + "name: n\nbank: {plugin: memory}\nplugins: [{plugin: nothing}]\n"
)

func TestFaultsOfAFileNameItsLine(t *testing.T) {
	memory := func() (bank.Bank, error) { return banktest.NewMemory(), nil }
	for text, want := range map[string]string{
		"# ours\n" + strings.Replace(good, "11111111-1", "x", 1):        "p.yaml: line 2: id: ",
		strings.Replace(good, id, "", 1):                                "p.yaml: line 3: id: there is none",
		strings.Replace(good, "name: n", "name: ''", 1):                 "p.yaml: line 2: name: there is none",
		id + "plugins: [{plugin: nothing}]\nname: n\n":                  "p.yaml: line 3: bank: there is none",
		id + "name: n\nbank: {plugin: memory}\n":                        "p.yaml: line 3: plugins: there are none",
		strings.Replace(good, "memory", "''", 1):                        "p.yaml: line 3: bank.plugin: there is none",
		strings.Replace(good, "nothing", "other", 1):                    "line 4: there is no plug-in \"other\"",
		strings.Replace(good, "memory}", "memory, options: {a: 1}}", 1): "line 3: ",
	} {
		_, err := load(t, text, memory, time.Now)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %s", text, err, want)
		}
	}
	providers, err := load(t, good, memory, time.Now)
	if err != nil || len(providers) != 1 {
		t.Fatalf("%v, %v", providers, err)
	}
	if err := providers[0].Close(); err != nil {
		t.Error(err)
	}
}

func TestBankThatCannotBeOpenedIsTriedAgain(t *testing.T) {
	var dead atomic.Bool
	dead.Store(true)
	start, passed := time.Now(), atomic.Int64{}
	now := func() time.Time { return start.Add(time.Duration(passed.Load())) }
	providers, err := load(t, good, func() (bank.Bank, error) {
		if dead.Load() {
			return nil, errors.New("no such disk")
		}
		return banktest.NewMemory(), nil
	}, now)
	if err != nil {
		t.Fatal(err)
	}
	p := providers[0]
	for range 2 {
		passed.Add(int64(time.Minute))
		if err := p.Acquire(t.Context()); !karbor.IsTransient(err) || !strings.Contains(karbor.Sentence(err), "can't be opened") {
			t.Errorf("with a dead bank the lease gives %v", err)
		}
	}
	dead.Store(false)
	passed.Add(int64(time.Minute))
	p.Asked()
	if err := p.Acquire(t.Context()); err != nil {
		t.Error(err)
	}
	asked := map[string]int64{}
	for _, f := range p.Asked() {
		asked[f.Method] = f.Calls
	}
	if asked["create"] != 1 || asked["now"] != 1 {
		t.Errorf("the bank was asked %v", asked)
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
}

func TestWithoutBanksNoneIsOpenedAndNoKeyIsRead(t *testing.T) {
	dir := t.TempDir()
	text := good + "repository: {domain: provider, keys: [{file: /nowhere/key}]}\n"
	if err := os.WriteFile(filepath.Join(dir, "p.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	opened := func() (bank.Bank, error) {
		t.Error("a bank was opened")
		return banktest.NewMemory(), nil
	}
	loaded, err := provider.Load(t.Context(), dir, sets(opened), provider.Options{Owner: "me", Now: time.Now, WithoutBanks: true})
	if err != nil {
		t.Fatal(err)
	}
	p := loaded[0]
	if !p.SharesData() || !p.Protects(karbor.VolumeType) {
		t.Error("it does not say what the file says")
	}
	if err := p.Ping(t.Context()); karbor.KindOf(err) != karbor.Unavailable {
		t.Errorf("the bank answers with %v", err)
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
}
