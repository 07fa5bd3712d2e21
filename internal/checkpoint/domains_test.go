package checkpoint

import (
	"strings"
	"testing"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank/banktest"
	"github.com/karbor/karbor/internal/repository"
	"github.com/karbor/karbor/internal/repository/keyring"
)

// domains opens the key domains of a bank with a key.
func domains(t *testing.T, m *banktest.Memory, c *clock, digit string) *repository.Domains {
	t.Helper()
	d, err := repository.NewDomains(repository.Options{
		Bank: m, Now: c.Now, Cache: t.TempDir(), Keys: []*keyring.Source{keyring.Key(karbor.Secret(strings.Repeat(digit, 64)))},
	})
	must(t, err)
	t.Cleanup(func() { must(t, d.Close(t.Context())) })
	return d
}

func TestCheckpointsAreSealedInTheDomainsOfTheRepository(t *testing.T) {
	c := newClock()
	m := memory(c)
	cs := openSealed(t, m, c, "a", domains(t, m, c, "1"))
	fill(t, cs, sample())
	fill(t, cs, ofProject(sample(), foreign))
	for key, text := range m.Snapshot() {
		if strings.Contains(text, "planted") || strings.Contains(text, "cirros") {
			t.Errorf("%s lies in the clear", key)
		}
	}
	again := openSealed(t, m, c, "b", domains(t, m, c, "1"))
	for _, p := range []string{project, foreign} {
		if _, err := readAll(t.Context(), again, p, cpID); err != nil {
			t.Error(err)
		}
	}
	stranger := openSealed(t, m, c, "c", domains(t, m, c, "2"))
	cp, err := stranger.Get(t.Context(), project, cpID)
	wantKind(t, err, karbor.Unavailable)
	if !isUnread(err) || cp.Plan.ID != plan || cp.Plan.Name != "" || !strings.Contains(err.Error(), "domain "+project) {
		t.Errorf("%+v, %v", cp, err)
	}
	shut := domains(t, m, c, "1")
	must(t, shut.Close(t.Context()))
	if _, err := openSealed(t, m, c, "d", shut).Get(t.Context(), project, cpID); !karbor.IsTransient(err) {
		t.Errorf("after Close: %v", err)
	}
}
