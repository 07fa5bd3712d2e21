package storetest

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/store"
)

func testDocuments(t *testing.T, s *store.Store) {
	ctx, a := t.Context(), Acceptance(karbor.Protect, NewCheckpoint("project"))
	must(t, s.Accept(ctx, a))
	key := a.Operation.Graph.Nodes()[0].Key()
	for _, text := range []string{
		`{"b":1.0,"a":[1e400,12345678901234567890,-0],"b":2,"😀":"\u0000\\ \" ' ü"}`,
		`1.0`, `"007"`, `"null "`, `12345678901234567890`, `true`, `[]`,
		`"` + strings.Repeat("ü", 200_000) + `"`, // beyond MySQL's TEXT
	} {
		must(t, s.SaveScratch(ctx, a.Operation.ID, key, json.RawMessage(text)))
		var got json.RawMessage
		found, err := s.Scratch(ctx, a.Operation.ID, key, &got)
		must(t, err)
		if diff := cmp.Diff(text, string(got)); !found || diff != "" {
			t.Errorf("a document came back changed (-want +got):\n%.300s", diff)
		}
	}
}
