package pod_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/protection"
	"github.com/karbor/karbor/protection/protectiontest"
)

// heard is a scratch that remembers all that was ever in it.
type heard struct {
	protection.Scratch
	text *strings.Builder
}

func (h heard) Save(ctx context.Context, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	h.text.Write(text)
	return h.Scratch.Save(ctx, v)
}

// inTheClear are documents that are not sealed.
type inTheClear struct{ protection.Documents }

func TestManifestLiesInTheBankAlone(t *testing.T) {
	s := newSite(t)
	p := open(t, quick, local)
	single := protectiontest.NewSingle(p, s.source(t, nil))
	call := single.Begin(s.tenant.Cloud, nil, nil)
	var kept strings.Builder
	call.Scratch = heard{call.Scratch, &kept}
	hooks := p.Hooks(karbor.Protect, karbor.PodType)
	if err := single.Run(t, hooks.PrepareFinish, call); err != nil {
		t.Fatal(err)
	}
	// A run after a crash sees another pod: what counts is the one of the snapshots.
	now := s.Get("namespaces/shop/pods/web")
	metadata, _ := now["metadata"].(object)
	metadata["annotations"] = object{"note": "changed"}
	s.Put("namespaces/shop/pods/web", now)
	call.Scratch = heard{single.Begin(s.tenant.Cloud, nil, nil).Scratch, &kept}
	for _, hook := range []protection.Hook{hooks.PrepareFinish, hooks.Main} {
		if err := single.Run(t, hook, call); err != nil {
			t.Fatal(err)
		}
	}
	if strings.Contains(kept.String(), "MODE") || strings.Contains(kept.String(), "shop") {
		t.Errorf("the database has had %s", kept.String())
	}
	var doc struct {
		Pod struct {
			Metadata struct{ Annotations map[string]string }
		}
	}
	if err := call.Documents.GetJSON(t.Context(), "metadata", &doc); err != nil || doc.Pod.Metadata.Annotations["note"] != "kept" {
		t.Errorf("the bank has %+v, %v", doc, err)
	}
	if told := single.Result().NotKept; len(told) > 0 {
		t.Errorf("of a bank with keys the tenant is told %q", told)
	}
}

func TestTenantIsToldThatValuesLieOpenInABankWithoutKeys(t *testing.T) {
	for name, test := range map[string]struct {
		env  []any
		want string
	}{
		"a value":   {[]any{object{"name": "PASSWORD", "value": "guess"}}, "of the containers main lie"},
		"no values": {[]any{object{"name": "PASSWORD", "valueFrom": object{"secretKeyRef": object{"name": "s", "key": "k"}}}, object{"name": "EMPTY"}}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			p := open(t, quick, local)
			single := protectiontest.NewSingle(p, s.source(t, func(members object) {
				containers, _ := at(members, "spec", "containers").([]any)
				first, _ := containers[0].(object)
				first["env"] = test.env
			}))
			call := single.Begin(s.tenant.Cloud, nil, nil)
			call.Documents = inTheClear{call.Documents}
			if err := protect(t, single, p, call); err != nil {
				t.Fatal(err)
			}
			told := strings.Join(single.Result().NotKept, "\n")
			if (told == "") != (test.want == "") || !strings.Contains(told, test.want) || strings.Contains(told, "guess") {
				t.Errorf("the tenant is told %q", told)
			}
		})
	}
}
