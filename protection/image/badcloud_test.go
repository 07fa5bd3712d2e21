package image_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/testcloud/fabric"
	"github.com/karbor/karbor/protection/protectiontest"
)

func imageCase(t *testing.T, tenant *protectiontest.Tenant, source protectiontest.Source) protectiontest.Case {
	t.Helper()
	return protectiontest.Case{
		Plugin: open(t, "{poll_interval: 20ms, timeout: 1m}"), Type: karbor.ImageType, Session: tenant.Session, Inventory: tenant.Inventory,
		Make: func(*testing.T) protectiontest.Source { return source },
	}
}

func TestExhaustedQuotaOfEachKindIsToldAndNothingIsLeft(t *testing.T) {
	for name, fault := range map[string]fabric.Fault{
		"images":  {Service: "glance", Method: "POST", Path: "/images$", Status: 413, Message: "Resource image_count_total is over limit of 10"},
		"bytes":   {Service: "glance", Method: "PUT", Path: "/file$", Status: 413, Message: "Resource image_size_total is over limit of 10"},
		"secrets": {Service: "barbican", Method: "POST", Path: "/secrets$", Status: 403, Message: "Quota reached for project. Only 1 secrets are allowed."},
	} {
		t.Run(name, func(t *testing.T) {
			tenant := protectiontest.NewTenant(t)
			c := makeCipher(t, tenant, "")
			source := c.source(t)
			destroy := source.Destroy
			source.Destroy = func(t *testing.T) {
				destroy(t)
				tenant.Fault(t, fault)
			}
			protectiontest.ExpectRefusal(t, protectiontest.RefusedUnforeseen(t, imageCase(t, tenant, source)), karbor.OverLimit, c.image)
		})
	}
}

func TestImageThatVanishesWhileItIsRestoredIsNamedAndNothingIsLeft(t *testing.T) {
	for name, c := range map[string]struct{ method, path string }{
		"before its key":   {http.MethodPost, "/secrets$"},
		"before its bytes": {http.MethodPut, "/file$"},
	} {
		t.Run(name, func(t *testing.T) {
			tenant, way := protectiontest.NewTenant(t), &protectiontest.Meanwhile{}
			one := makeCipher(t, tenant, "on_image_deletion")
			source := one.source(t)
			destroy := source.Destroy
			source.Destroy = func(t *testing.T) {
				destroy(t)
				way.Before(t, c.method, c.path, func() {
					list, _ := tenant.Do(t, "image", http.MethodGet, "images?name=photo", nil)["images"].([]any)
					for _, i := range list {
						id, _ := i.(map[string]any)["id"].(string)
						tenant.Remove(t, "image", "images/"+id, "")
					}
				})
			}
			made := imageCase(t, tenant, source)
			made.Transport = way
			protectiontest.ExpectRefusal(t, protectiontest.RefusedUnforeseen(t, made), karbor.NotFound, one.image)
		})
	}
}

func TestImageThatVanishesWhileItIsProtectedIsNamedAndNothingIsKept(t *testing.T) {
	tenant, way := protectiontest.NewTenant(t), &protectiontest.Meanwhile{}
	id := makeImage(t, tenant, nil, content(1000))
	g := &karbor.Graph{}
	node := g.Add(karbor.Resource{Type: karbor.ImageType, ID: id, Name: "photo"}, "")
	p := open(t, "{poll_interval: 20ms, timeout: 1m}")
	way.Before(t, http.MethodGet, "/file$", func() { tenant.Remove(t, "image", "images/"+id, "") })
	single := protectiontest.NewSingle(p, protectiontest.Source{Graph: g, Key: node.Key()})
	call := single.Begin(tenant.Session(t, &http.Client{Transport: way}), nil, nil)
	protectiontest.ExpectRefusal(t, single.Run(t, p.Hooks(karbor.Protect, karbor.ImageType).Main, call), karbor.NotFound, id)
	if _, err := call.Data.Stat(t.Context(), "data"); karbor.KindOf(err) != karbor.NotFound {
		t.Errorf("bytes are kept: %v", err)
	}
}

// TestImageOfTheNameOfOneThatIsThereComesBackBesideIt has another image of the name.
func TestImageOfTheNameOfOneThatIsThereComesBackBesideIt(t *testing.T) {
	tenant := protectiontest.NewTenant(t)
	c := makeCipher(t, tenant, "")
	source := c.source(t)
	destroy, check := source.Destroy, source.Check
	var there string
	var was map[string]any
	source.Destroy = func(t *testing.T) {
		destroy(t)
		there = makeImage(t, tenant, nil, content(10))
		was = tenant.Show(t, "image", "images/"+there, "")
	}
	source.Check = func(t *testing.T, restored protectiontest.Restored) {
		check(t, restored)
		if diff := cmp.Diff(was, tenant.Show(t, "image", "images/"+there, "")); diff != "" || restored.ID == there {
			t.Errorf("the image of the same name was changed (-before +now):\n%s", diff)
		}
	}
	protectiontest.RoundTrip(t, imageCase(t, tenant, source))
}

func TestCloudThatListsImagesTwiceGivesOneOfEach(t *testing.T) {
	tenant := protectiontest.NewTenant(t)
	c := imageCase(t, tenant, makeCipher(t, tenant, "").source(t))
	c.Transport = protectiontest.Doubling{}
	protectiontest.RoundTrip(t, c)
}

// TestStateInWhichTheCloudGetsNoFurtherIsToldAndNothingIsLeft has Glance say such a state of the image that is protected,
// or of the one that is restored.
func TestStateInWhichTheCloudGetsNoFurtherIsToldAndNothingIsLeft(t *testing.T) {
	for _, what := range []karbor.OperationType{karbor.Protect, karbor.RestoreOperation} {
		for status, kind := range map[string]karbor.Kind{
			"killed": karbor.Conflict, "deactivated": karbor.Conflict, "queued": karbor.Unavailable, "saving": karbor.Unavailable,
		} {
			t.Run(fmt.Sprintf("%s, %s", what, status), func(t *testing.T) {
				tenant, way := protectiontest.NewTenant(t), &protectiontest.Pretending{}
				one := imageCase(t, tenant, protectiontest.Source{})
				one.Transport = way
				one.Make = func(t *testing.T) protectiontest.Source { return makeCipher(t, tenant, "").source(t) }
				err := protectiontest.Spoilt(t, one, what, func() {
					way.Told(kind)("/images/[0-9a-f-]{36}$", func(members map[string]any) { members["status"] = status })
				}, func() { way.Stop() })
				protectiontest.ExpectRefusal(t, err, kind, "image", fmt.Sprintf("%q", status))
			})
		}
	}
}

// TestImageWithOtherBytesThanTheProtectedIsNotLeft has Glance have another digest of what was uploaded.
func TestImageWithOtherBytesThanTheProtectedIsNotLeft(t *testing.T) {
	for member, value := range map[string]any{"os_hash_value": strings.Repeat("0", 128), "size": 1.0} {
		t.Run(member, func(t *testing.T) {
			tenant, way := protectiontest.NewTenant(t), &protectiontest.Pretending{}
			one := imageCase(t, tenant, protectiontest.Source{})
			one.Transport = way
			one.Make = func(t *testing.T) protectiontest.Source { return makeCipher(t, tenant, "").source(t) }
			err := protectiontest.Spoilt(t, one, karbor.RestoreOperation, func() {
				way.Say("/images(/[0-9a-f-]{36})?$", func(members map[string]any) {
					list, listed := members["images"].([]any)
					for _, i := range list {
						i.(map[string]any)[member] = value
					}
					if !listed {
						members[member] = value
					}
				})
			}, func() { way.Stop() })
			if !karbor.IsTransient(err) || !strings.Contains(karbor.Sentence(err), "does not have the size and digest") {
				t.Errorf("got %v", err)
			}
		})
	}
}
