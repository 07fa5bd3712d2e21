package protectionservice_test

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/protectable"
	"github.com/karbor/karbor/protection"
	servers "github.com/karbor/karbor/protection/server"
)

const (
	firstServer, secondServer = "OS::Nova::Server#s", "OS::Nova::Server#r"
	imageWord, networkWord    = "OS::Glance::Image#i", "OS::Neutron::Network#n"
)

// fleet protects two servers: s is of the image i, r boots from the volume b; both have the data volume a, and are on
// the network n. The servers are verified by their plug-in.
func fleet(t *testing.T) (s *site, checkpoint string) {
	t.Helper()
	s = newSite(t)
	of := func(kind karbor.ResourceType, id string) protectable.Dependent {
		return protectable.Dependent{Resource: karbor.Resource{Type: kind, ID: id, Name: id}}
	}
	data, root := of(karbor.VolumeType, "a"), of(karbor.VolumeType, "b")
	image, network := of(karbor.ImageType, "i"), of(karbor.NetworkType, "n")
	s.finders = []protectable.Plugin{
		finder{karbor.VolumeType, map[string][]protectable.Dependent{"s": {data}, "r": {root, data}}},
		finder{karbor.ImageType, map[string][]protectable.Dependent{"s": {image}}},
		finder{karbor.NetworkType, map[string][]protectable.Dependent{"s": {network}, "r": {network}}},
	}
	s.restart()
	s.keep()
	for _, kind := range []karbor.ResourceType{karbor.ImageType, karbor.NetworkType} {
		s.script.set(karbor.Protect, kind, s.script.Hooks(karbor.Protect, karbor.VolumeType))
	}
	disk := func(id string, boot int) map[string]any { return map[string]any{"volumeId": id, "boot_index": boot} }
	documents := map[string]map[string]any{
		"s": {"flavor": map[string]any{"id": "1"}, "image": "i", "volumes": []any{disk("a", -1)}},
		"r": {"flavor": map[string]any{"id": "1"}, "volumes": []any{disk("b", 0), disk("a", -1)}},
	}
	s.script.set(karbor.Protect, karbor.ServerType, protection.Hooks{Complete: func(ctx context.Context, c *protection.Call) error {
		return c.Documents.CreateJSON(ctx, "metadata", documents[c.Node.ID])
	}})
	plugin, err := servers.Plugin.Open(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	s.script.set(karbor.Verify, karbor.ServerType, plugin.Hooks(karbor.Verify, karbor.ServerType))
	return s, s.until(s.protect(s.plan(
		karbor.Resource{Type: karbor.ServerType, ID: "s", Name: "web"}, karbor.Resource{Type: karbor.ServerType, ID: "r", Name: "db"}))).ID
}

func TestAServerIsNotGoodWithoutWhatItNeeds(t *testing.T) {
	for name, c := range map[string]struct {
		lost string            // what is lost in the bank
		why  map[string]string // what is not good because of that, and why; "" for what is lost itself
	}{
		"nothing":                  {},
		"a data volume's bytes":    {"/volume/a/data/data/", map[string]string{word + "a": "", firstServer: "it needs the volume a, which is not good", secondServer: "it needs the volume a, which is not good"}},
		"a data volume's document": {"/volume/a/documents/", map[string]string{word + "a": "", firstServer: "it needs the volume a, which is not good", secondServer: "it needs the volume a, which is not good"}},
		"the boot volume's bytes":  {"/volume/b/data/data/", map[string]string{word + "b": "", secondServer: "it needs the volume b, which is not good"}},
		"the image's bytes":        {"/image/i/data/data/", map[string]string{imageWord: "", firstServer: "it needs the image i, which is not good"}},
		"the image's document":     {"/image/i/documents/", map[string]string{imageWord: "", firstServer: "it needs the image i, which is not good"}},
		"the network's document":   {"/network/n/documents/", map[string]string{networkWord: "", firstServer: "it needs the network n, which is not good", secondServer: "it needs the network n, which is not good"}},
		"a server's own document":  {"/server/s/documents/", map[string]string{firstServer: ""}},
	} {
		t.Run(name, func(t *testing.T) {
			s, checkpoint := fleet(t)
			if c.lost != "" {
				s.change(c.lost, func([]byte) []byte { return nil })
			}
			got := s.untilVerified(s.verify(checkpoint, nil).ID)
			want := map[string]karbor.VerificationStatus{}
			for _, key := range []string{firstServer, secondServer, word + "a", word + "b", imageWord, networkWord} {
				want[key] = karbor.VerificationSuccess
				if _, bad := c.why[key]; bad {
					want[key] = karbor.VerificationError
				}
			}
			if d := cmp.Diff(want, got.ResourcesStatus); d != "" || (got.Status == karbor.VerificationSuccess) != (c.lost == "") {
				t.Errorf("ended as %s, for %v (-want +got):\n%s", got.Status, got.ResourcesReason, d)
			}
			for key, why := range c.why {
				if reason := got.ResourcesReason[key]; reason == "" || why != "" && reason != why {
					t.Errorf("%s is not good: %q; want %q", key, reason, why)
				}
			}
		})
	}
}
