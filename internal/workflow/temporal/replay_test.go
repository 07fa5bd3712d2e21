package temporal

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	history "go.temporal.io/api/history/v1"
	"go.temporal.io/api/temporalproto"
	sdklog "go.temporal.io/sdk/log"
	"go.temporal.io/sdk/worker"
	sdk "go.temporal.io/sdk/workflow"
)

// histories is the folder of those of operations that earlier versions have run: what runs
// on a cluster has to be gone on with by every later one.
const histories = "testdata/histories"

// replayed goes through a history with a workflow, which must decide all as it was decided.
func replayed(h *history.History, operation func(sdk.Context, input) ([]byte, error)) error {
	r := worker.NewWorkflowReplayer()
	r.RegisterWorkflowWithOptions(operation, sdk.RegisterOptions{Name: operationName})
	if err := r.ReplayWorkflowHistory(sdklog.NewStructuredLogger(slog.New(slog.DiscardHandler)), h); err != nil {
		return fmt.Errorf("replaying: %w", err)
	}
	return nil
}

func newCodecFor(t *testing.T) codec {
	t.Helper()
	c, err := newCodec()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// saved gives the saved histories by the names of their files.
func saved(t *testing.T) map[string]*history.History {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(histories, "*.json"))
	if err != nil || len(files) < 5 {
		t.Fatalf("there are %d saved histories, %v", len(files), err)
	}
	out := map[string]*history.History{}
	for _, path := range files {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		h := &history.History{}
		if err := (temporalproto.CustomJSONUnmarshalOptions{}).Unmarshal(text, h); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		out[filepath.Base(path)] = h
	}
	return out
}

func TestSavedHistoriesCanBeReplayed(t *testing.T) {
	for name, h := range saved(t) {
		t.Run(name, func(t *testing.T) {
			if err := replayed(h, newCodecFor(t).operation); err != nil {
				t.Errorf("an operation that runs could not go on after an update: %v", err)
			}
		})
	}
}

// TestReplaysFindWorkflowsThatDecideOtherwise has workflows with a fault of each kind that an
// update may bring.
func TestReplaysFindWorkflowsThatDecideOtherwise(t *testing.T) {
	c := newCodecFor(t)
	for name, other := range map[string]func(sdk.Context, input) ([]byte, error){
		"it rests first": func(ctx sdk.Context, in input) ([]byte, error) {
			if err := sdk.Sleep(ctx, breather); err != nil {
				return nil, err
			}
			return c.operation(ctx, in)
		},
		"it has no places": func(ctx sdk.Context, in input) ([]byte, error) {
			in.Places = map[string]int{"": 1, "narrow": 1}
			return c.operation(ctx, in)
		},
		"it goes on for longer": func(ctx sdk.Context, in input) ([]byte, error) {
			in.Events *= 100
			return c.operation(ctx, in)
		},
	} {
		t.Run(name, func(t *testing.T) {
			found := 0
			for _, h := range saved(t) {
				if replayed(h, other) != nil {
					found++
				}
			}
			if found == 0 {
				t.Error("no saved history shows it")
			}
			t.Logf("%d histories show it", found)
		})
	}
}
