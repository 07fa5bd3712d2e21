package banktest

import (
	"context"
	"io"
	"strings"
	"testing"

	"github.com/karbor/karbor/bank"
)

// Store stores a text under a key.
func Store(t testing.TB, b bank.Bank, key, text string) {
	t.Helper()
	if err := b.Put(t.Context(), key, strings.NewReader(text), int64(len(text))); err != nil {
		t.Fatal(err)
	}
}

// Load gives the text under a key.
func Load(t testing.TB, b bank.Bank, key string) string {
	t.Helper()
	body, err := b.Get(t.Context(), key, 0, -1)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = body.Close() }()
	text, err := io.ReadAll(body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// Calls makes one call of each method that reaches the store, and gives their errors by the
// method's name.
func Calls(ctx context.Context, b bank.Bank) map[string]error {
	_, getErr := b.Get(ctx, "a", 0, -1)
	_, statErr := b.Stat(ctx, "a")
	_, listErr := b.List(ctx, "", "", 10)
	_, nowErr := b.Now(ctx)
	return map[string]error{
		"put": b.Put(ctx, "a", strings.NewReader("x"), 1), "create": b.Create(ctx, "a", strings.NewReader("x"), 1),
		"get": getErr, "stat": statErr, "list": listErr, "now": nowErr, "delete": b.Delete(ctx, "a"),
	}
}
