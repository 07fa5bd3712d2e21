package share_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/protection"
	"github.com/karbor/karbor/protection/protectiontest"
)

func TestStateInWhichTheCloudGetsNoFurtherIsToldAndNothingIsLeft(t *testing.T) {
	for name, c := range map[string]struct {
		what               karbor.OperationType
		path, status, word string
		kind               karbor.Kind
	}{
		"a snapshot in error":         {karbor.Protect, "/snapshots/", "error", "snapshot", karbor.Conflict},
		"a snapshot that stays":       {karbor.Protect, "/snapshots/", "creating", "snapshot", karbor.Unavailable},
		"a restored share in error":   {karbor.RestoreOperation, "/shares/", "error", "share", karbor.Conflict},
		"a restored share that stays": {karbor.RestoreOperation, "/shares/", "creating_from_snapshot", "share", karbor.Unavailable},
	} {
		t.Run(name, func(t *testing.T) {
			way := &protectiontest.Pretending{}
			one := caseOf(t, protectiontest.NewTenant(t), quick)
			one.Transport = way
			err := protectiontest.Spoilt(t, one, c.what, func() {
				way.Told(c.kind)(c.path, func(members map[string]any) {
					restored := strings.Contains(fmt.Sprint(members["metadata"]), protection.RestoringTag)
					if restored || c.what == karbor.Protect {
						members["status"] = c.status
					}
				})
			}, func() { way.Stop() })
			protectiontest.ExpectRefusal(t, err, c.kind, c.word, fmt.Sprintf("%q", c.status))
		})
	}
}

// TestRuleThatTheCloudCannotApplyIsToldOnce has one access rule of a restored share be in error, and the other take
// a while.
func TestRuleThatTheCloudCannotApplyIsToldOnce(t *testing.T) {
	tenant, way, p := protectiontest.NewTenant(t), &protectiontest.Pretending{}, open(t, quick)
	one := newFiles(t, tenant, nil)
	s := protectiontest.NewSingle(p, one.source)
	if err := protect(t, s, p, s.Begin(tenant.Cloud, nil, nil)); err != nil {
		t.Fatal(err)
	}
	looks := 0
	way.Say("/share-access-rules$", func(answer map[string]any) {
		rules, _ := answer["access_list"].([]any)
		looks++
		for _, r := range rules {
			rule, _ := r.(map[string]any)
			if rule["access_to"] == "198.51.100.7" {
				rule["state"] = "error"
			} else if looks < 5 {
				rule["state"] = "applying"
			}
		}
	})
	call := s.Begin(tenant.Session(t, &http.Client{Transport: way}), nil, nil)
	if err := s.Run(t, p.Hooks(karbor.RestoreOperation, karbor.ShareType).Main, call); err != nil {
		t.Fatal(err)
	}
	if told := s.Result().NotKept; len(told) != 1 || !strings.Contains(told[0], "198.51.100.7: the cloud could not apply it") {
		t.Errorf("after %d looks the tenant is told %q", looks, told)
	}
}

func TestCloudThatListsThingsTwiceGivesOneOfEach(t *testing.T) {
	c := caseOf(t, protectiontest.NewTenant(t), quick)
	c.Transport = protectiontest.Doubling{}
	protectiontest.RoundTrip(t, c)
}
