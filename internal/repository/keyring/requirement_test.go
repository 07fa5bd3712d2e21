package keyring_test

import (
	"strings"
	"testing"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank/banktest"
	"github.com/karbor/karbor/internal/repository/keyring"
)

func TestDomainThatAsksMoreOfItsReadersIsNotOpened(t *testing.T) {
	m := banktest.NewMemory()
	r, sources := ring(t, m), all(t)[:1]
	must[*keyring.Opened](t)(r.Create(t.Context(), sources))
	prefix := "v1/repositories/" + domain + "/requires/"
	for _, key := range []string{"writers/extents", "readers/another-cipher"} {
		must[*keyring.Opened](t)(r.Open(t.Context(), sources))
		if err := m.Create(t.Context(), prefix+key, strings.NewReader("{}"), 2); err != nil {
			t.Fatal(err)
		}
	}
	_, err := r.Open(t.Context(), sources)
	wantKind(t, err, karbor.NotImplemented)
	if err == nil || !strings.Contains(err.Error(), "another-cipher") || strings.Contains(err.Error(), "extents") {
		t.Errorf("got %v", err)
	}
}
