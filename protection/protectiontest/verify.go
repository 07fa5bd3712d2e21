package protectiontest

import (
	"slices"
	"testing"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/protection"
)

// testVerify verifies what was protected, whole and with each of its parts lost. A plug-in
// without hooks for it is verified by the service, which knows nothing of what must be there.
func (b *bench) testVerify(t *testing.T) {
	hooks := b.Plugin.Hooks(karbor.Verify, b.Type)
	if hooks.Main == nil && hooks.PrepareBegin == nil && hooks.PrepareFinish == nil && hooks.Complete == nil {
		return
	}
	source, kept := b.protected(t, life{dies: -1})
	verify := func() error {
		call := b.call(newOperation(), kept, source, nil)
		if hooks.Offline {
			call.Cloud, call.Service = nil, nil
		}
		return b.run(t.Context(), life{dies: -1, twice: true}, hooks, call)
	}
	if err := verify(); err != nil {
		t.Fatalf("verifying what was protected: %v", err)
	}
	lost := func(what string) {
		t.Helper()
		if err := verify(); err == nil || karbor.IsTransient(err) || karbor.Sentence(err) == "" {
			t.Errorf("with %s, verifying gave %v; want a lasting error that the tenant can read", what, err)
		}
	}
	for key, text := range kept.documents {
		delete(kept.documents, key)
		lost("the document " + key + " lost")
		for _, bad := range []string{`[]`, `"x"`, `{`, `{}`} {
			kept.documents[key] = []byte(bad)
			lost("the document " + key + " being " + bad)
		}
		kept.documents[key] = slices.Clone(text)
	}
	if kept.real == nil {
		for name, data := range kept.data {
			delete(kept.data, name)
			lost("the data " + name + " lost")
			kept.data[name] = &stored{bytes: data.bytes, summary: protection.Summary{Size: data.summary.Size + 1}}
			lost("the data " + name + " being longer")
			kept.data[name] = data
		}
	}
	if err := verify(); err != nil {
		t.Errorf("verifying once more: %v", err)
	}
	if source.Lose != nil {
		source.Lose(t)
		lost("what it keeps in the cloud lost")
	}
}
