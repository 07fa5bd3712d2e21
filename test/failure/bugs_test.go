package failure

import (
	"context"
	"io"
	"slices"
	"strings"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank"
	"github.com/karbor/karbor/protection"
)

// The planted bugs. The tests that kill processes must find each of them.
const (
	// deadJanitor removes nothing, and says that it has.
	deadJanitor = "dead janitor"
	// duplicating hooks do not find again what an earlier run of them made.
	duplicating = "a hook that duplicates instead of adopting"
	// earlyPublish makes a checkpoint available before its data is there.
	earlyPublish = "early publish"
	// greedyDelete removes what other checkpoints need, together with a checkpoint.
	greedyDelete = "greedy delete"
	// lostOutbox forgets what was accepted when the process ends.
	lostOutbox = "lost outbox"
)

// plant gives a hook with a bug.
func plant(bug, name string, inner protection.Hook) protection.Hook {
	switch {
	case bug == deadJanitor && name == "undo":
		return func(context.Context, *protection.Call) error { return nil }
	case bug == duplicating:
		return func(ctx context.Context, call *protection.Call) error {
			blind := *call
			// Another tag each time, and a record that is always empty.
			blind.Owner, blind.Scratch, blind.Intents = karbor.NewID(), forgetful{}, nil
			return inner(ctx, &blind)
		}
	}
	return inner
}

// plantBank gives a bank with a bug.
func plantBank(bug string, inner bank.Bank) bank.Bank {
	switch bug {
	case earlyPublish:
		return eager{inner}
	case greedyDelete:
		return greedy{inner}
	}
	return inner
}

// greedy removes all bulk data with each object of a checkpoint.
type greedy struct{ bank.Bank }

func (g greedy) Delete(ctx context.Context, key string) error {
	if err := g.Bank.Delete(ctx, key); err != nil || !strings.HasPrefix(key, "v1/checkpoints/") {
		return err
	}
	for marker := ""; ; {
		infos, err := g.List(ctx, "v1/repositories/", marker, bank.MaxList)
		if err != nil {
			return err
		}
		for _, i := range infos {
			marker = i.Key
			if !strings.Contains(i.Key, "/packs/") {
				continue
			}
			if err := g.Bank.Delete(ctx, i.Key); err != nil {
				return err
			}
		}
		if len(infos) < bank.MaxList {
			return nil
		}
	}
}

// forgetful is a scratch record that keeps nothing.
type forgetful struct{}

func (forgetful) Load(context.Context, any) error { return nil }
func (forgetful) Save(context.Context, any) error { return nil }

// eager makes each checkpoint available together with its first state.
type eager struct{ bank.Bank }

func (e eager) Create(ctx context.Context, key string, body io.Reader, size int64) error {
	parts := strings.Split(key, "/")
	if !slices.Contains(parts, "states") || parts[len(parts)-1] != "00000001" {
		return e.Bank.Create(ctx, key, body, size)
	}
	text, err := io.ReadAll(body)
	if err != nil {
		return err
	}
	if err := e.Bank.Create(ctx, key, strings.NewReader(string(text)), size); err != nil {
		return err
	}
	second := strings.Replace(strings.Replace(string(text), `"protecting"`, `"available"`, 1), `"sequence":1`, `"sequence":2`, 1)
	return e.Bank.Create(ctx, strings.TrimSuffix(key, "1")+"2", strings.NewReader(second), int64(len(second)))
}
