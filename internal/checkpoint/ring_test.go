package checkpoint

import (
	"context"
	"maps"
	"testing"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank"
	"github.com/karbor/karbor/internal/repository/format"
)

// ring is a Sealer whose domains are those of projects.
type ring map[string]*domain

type domain struct {
	document *format.Document
	keys     *format.Keys
}

// newDomain makes a domain; its master key and its repository are the byte, again and
// again.
func newDomain(t testing.TB, name string, b byte) *domain {
	t.Helper()
	var master format.Key
	var id format.RepositoryID
	for i := range master {
		master[i] = b
	}
	for i := range id {
		id[i] = b
	}
	d, err := format.NewDocument(name, id, master, start)
	must(t, err)
	k, err := d.Unlock(master)
	must(t, err)
	return &domain{d, k}
}

// foreign is another project than that of the sample.
const foreign = "f0f0f0f0c7b94b6c9b3d5c1f0a7e4d21"

func newRing(t testing.TB) ring {
	return ring{project: newDomain(t, project, 7), foreign: newDomain(t, foreign, 8)}
}

func (r ring) Seal(_ context.Context, project, key string, text []byte) ([]byte, error) {
	d, err := r.domain(project)
	if err != nil {
		return nil, err
	}
	return d.keys.SealDocument(d.document, key, text)
}

func (r ring) Unseal(_ context.Context, project, key string, sealed []byte) ([]byte, error) {
	envelope, err := format.ParseSealed(sealed)
	if err != nil {
		return nil, err
	}
	if envelope.Domain != project {
		return nil, &format.DamageError{What: "sealed document", Why: "it is of another domain"}
	}
	d, err := r.domain(envelope.Domain)
	if err != nil {
		return nil, err
	}
	return d.keys.OpenDocument(d.document, key, sealed)
}

func (r ring) domain(name string) (*domain, error) {
	d := r[name]
	if d == nil {
		return nil, karbor.Errorf(karbor.Unavailable, "there is no key of the domain %s", name)
	}
	return d, nil
}

// opened is a bank's objects with the sealed ones opened.
func (r ring) opened(t testing.TB, all map[string]string) map[string]string {
	t.Helper()
	out := maps.Clone(all)
	for key, text := range all {
		if !format.IsSealed([]byte(text)) {
			continue
		}
		envelope, err := format.ParseSealed([]byte(text))
		must(t, err)
		plain, err := r.Unseal(t.Context(), envelope.Domain, key, []byte(text))
		must(t, err)
		out[key] = string(plain)
	}
	return out
}

// openSealed is open with a Sealer, or without one.
func openSealed(t testing.TB, b bank.Bank, c *clock, owner string, s Sealer) *Checkpoints {
	t.Helper()
	cs, err := Open(t.Context(), b, Options{Owner: owner, Now: c.Now, Sealer: s})
	must(t, err)
	must(t, cs.Lease().Acquire(t.Context()))
	return cs
}
