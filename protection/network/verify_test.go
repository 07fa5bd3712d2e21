package network_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/protection"
	"github.com/karbor/karbor/protection/protectiontest"
)

// list gives the parts of one kind in a document.
func list(doc map[string]any, kind string) []any {
	parts, _ := doc[kind].([]any)
	return parts
}

// part gives the first part of a kind in a document that is what is looked for.
func part(t *testing.T, doc map[string]any, kind string, is func(part map[string]any) bool) map[string]any {
	t.Helper()
	for _, p := range list(doc, kind) {
		if is(p.(map[string]any)) {
			return p.(map[string]any)
		}
	}
	t.Fatalf("the document has no such part among its %s", kind)
	return nil
}

func anyPart(map[string]any) bool { return true }

// lose takes the parts of a kind out of a document, but for other groups than those of the test.
func lose(kind string) func(t *testing.T, doc map[string]any) {
	return func(_ *testing.T, doc map[string]any) {
		doc[kind] = slices.DeleteFunc(list(doc, kind), func(p any) bool { return p.(map[string]any)["name"] != "default" })
	}
}

// refer has a member of the first element of a list in a part be another id.
func refer(inner, member string) func(part map[string]any, to string) {
	return func(part map[string]any, to string) { part[inner].([]any)[0].(map[string]any)[member] = to }
}

// documentOf protects a node, and gives the document, and what the tenant is told.
func documentOf(t *testing.T, tenant *protectiontest.Tenant, s protectiontest.Source) (doc map[string]any, notKept []string) {
	t.Helper()
	p := open(t)
	single := protectiontest.NewSingle(p, s)
	call := single.Begin(tenant.Cloud, nil, nil)
	if err := single.Run(t, p.Hooks(karbor.Protect, karbor.NetworkType).Main, call); err != nil {
		t.Fatal(err)
	}
	if err := call.Documents.GetJSON(t.Context(), "metadata", &doc); err != nil {
		t.Fatal(err)
	}
	return doc, single.Result().NotKept
}

// verified verifies a node of which the bank has a document.
func verified(t *testing.T, s protectiontest.Source, doc map[string]any) error {
	t.Helper()
	p := open(t)
	single := protectiontest.NewSingle(p, s)
	call := single.Begin(nil, nil, nil)
	if err := call.Documents.CreateJSON(t.Context(), "metadata", doc); err != nil {
		t.Fatal(err)
	}
	return single.Run(t, p.Hooks(karbor.Verify, karbor.NetworkType).Main, call)
}

func TestTopologyWhosePartsReferToWhatIsLostIsNotGood(t *testing.T) {
	const lost = "11111111-2222-3333-4444-555555555555"
	first := func(kind string, change func(part map[string]any, to string)) func(t *testing.T, doc map[string]any) {
		return func(t *testing.T, doc map[string]any) { change(part(t, doc, kind, anyPart), lost) }
	}
	cases := map[string]struct {
		spoil func(t *testing.T, doc map[string]any)
		want  []string // words of the reason
	}{
		"a subnet's network":           {first("subnets", func(p map[string]any, to string) { p["network_id"] = to }), []string{"subnet ", "the network " + lost}},
		"a router interface's network": {first("routers", refer("interfaces", "network_id")), []string{"router ", "the network " + lost}},
		"a router interface's subnet": {first("routers", func(p map[string]any, to string) {
			refer("fixed_ips", "subnet_id")(p["interfaces"].([]any)[0].(map[string]any), to)
		}), []string{"router ", "the subnet " + lost}},
		"a port's network":         {first("ports", func(p map[string]any, to string) { p["network_id"] = to }), []string{"port ", "the network " + lost}},
		"a fixed address's subnet": {first("ports", refer("fixed_ips", "subnet_id")), []string{"port ", "the subnet " + lost}},
		"a port's security group":  {first("ports", func(p map[string]any, to string) { p["security_groups"] = []any{to} }), []string{"port ", "the security group " + lost}},
		"a rule's remote group": {func(t *testing.T, doc map[string]any) {
			g := part(t, doc, "security_groups", func(g map[string]any) bool { return g["name"] == "data" })
			for _, r := range list(g, "security_group_rules") {
				if r := r.(map[string]any); r["remote_group_id"] != nil {
					r["remote_group_id"] = lost
				}
			}
		}, []string{"rule of the security group ", "the security group " + lost}},
		"a subnet that is another network's": {func(t *testing.T, doc map[string]any) {
			doc["networks"] = append(list(doc, "networks"), map[string]any{"id": lost})
			part(t, doc, "subnets", anyPart)["network_id"] = lost
		}, []string{"has an address in the subnet ", "does not have on network "}},
		"the subnets":          {lose("subnets"), []string{"has an address in the subnet "}},
		"the security groups":  {lose("security_groups"), []string{"refers to the security group "}},
		"the networks":         {lose("networks"), []string{"network"}},
		"the list of networks": {func(_ *testing.T, doc map[string]any) { delete(doc, "networks") }, []string{"tells nothing of the network itself"}},
	}
	tenant := protectiontest.NewTenant(t)
	w := build(t, tenant)
	for node, id := range map[string]string{"a network": w.network, "a project": tenant.Cloud.ProjectID()} {
		g := &karbor.Graph{}
		s := protectiontest.Source{Graph: g, Key: g.Add(karbor.Resource{Type: karbor.NetworkType, ID: id, Name: "shop"}, "").Key()}
		doc, _ := documentOf(t, tenant, s)
		if err := verified(t, s, doc); err != nil {
			t.Errorf("%s, as it was protected: %v", node, err)
		}
		for name, c := range cases {
			t.Run(node+", and lost is "+name, func(t *testing.T) {
				doc, _ := documentOf(t, tenant, s)
				c.spoil(t, doc)
				err := verified(t, s, doc)
				if err == nil || karbor.IsTransient(err) {
					t.Fatalf("verifying gave %v", err)
				}
				for _, word := range c.want {
					if reason := karbor.Sentence(err); !strings.Contains(reason, word) {
						t.Errorf("the reason is %q, without %q", reason, word)
					}
				}
			})
		}
	}
}

// TestTopologyThatRefersToAnotherProjectsGroupIsGood has an administrator put a port into his own project's group,
// and name it in a rule: neither is ever in the document.
func TestTopologyThatRefersToAnotherProjectsGroupIsGood(t *testing.T) {
	tenant := protectiontest.NewTenant(t)
	admin := *tenant
	admin.Cloud = tenant.Admin(t, http.DefaultClient)
	foreign := text(admin.Make(t, "network", "security-groups", "security_group", map[string]any{"name": "theirs"}), "id")
	w := build(t, tenant)
	admin.Do(t, "network", http.MethodPut, "ports/"+w.port, map[string]any{"port": map[string]any{"security_groups": []string{w.web, foreign}}})
	admin.Make(t, "network", "security-group-rules", "security_group_rule", map[string]any{
		"security_group_id": w.web, "direction": "ingress", "ethertype": "IPv4", "protocol": "tcp", "remote_group_id": foreign})
	g := &karbor.Graph{}
	s := protectiontest.Source{Graph: g, Key: g.Add(karbor.Resource{Type: karbor.NetworkType, ID: w.network, Name: "shop"}, "").Key()}
	doc, _ := documentOf(t, tenant, s)
	if outside := list(doc, "outside"); len(outside) != 1 || outside[0] != foreign {
		t.Errorf("what is outside the document is %v, not %s", outside, foreign)
	}
	if err := verified(t, s, doc); err != nil {
		t.Errorf("verifying it: %v", err)
	}
	// A document of an earlier release does not say what is outside of it.
	delete(doc, "outside")
	if err := verified(t, s, doc); err != nil {
		t.Errorf("verifying what an earlier release has protected: %v", err)
	}
	lose("subnets")(t, doc)
	if err := verified(t, s, doc); err == nil {
		t.Error("what an earlier release has protected is good without its subnets")
	}
}

// TestSubnetThatIsNotTakenInIsToldAndDoesNotSpoilTheTopology has a subnet that a restore has begun on a network of the
// project's own, with a port and a router in it.
func TestSubnetThatIsNotTakenInIsToldAndDoesNotSpoilTheTopology(t *testing.T) {
	tenant := protectiontest.NewTenant(t)
	w := build(t, tenant)
	describe(t, tenant, "subnets/"+w.subnet, protection.RestoringMark("0123456789abcdef")+" "+protection.OwnerMark(karbor.NewID())+"-"+karbor.NewID())
	g := &karbor.Graph{}
	s := protectiontest.Source{Graph: g, Key: g.Add(karbor.Resource{Type: karbor.NetworkType, ID: tenant.Cloud.ProjectID(), Name: "all"}, "").Key()}
	doc, notKept := documentOf(t, tenant, s)
	if outside := list(doc, "outside"); len(list(doc, "subnets")) > 0 || len(outside) != 1 || outside[0] != w.subnet || !told(notKept, w.subnet, "has an address") {
		t.Errorf("of the subnets %v are kept, outside is %v, and the tenant is told %q", doc["subnets"], outside, notKept)
	}
	if err := verified(t, s, doc); err != nil {
		t.Errorf("verifying it: %v", err)
	}
}

// TestOfAnOlderTopologyNobodyKnowsWhatWasOutside has a port's address be in a subnet that an earlier release did not
// take in, and one that has lost all of its subnets.
func TestOfAnOlderTopologyNobodyKnowsWhatWasOutside(t *testing.T) {
	tenant := protectiontest.NewTenant(t)
	w := build(t, tenant)
	g := &karbor.Graph{}
	s := protectiontest.Source{Graph: g, Key: g.Add(karbor.Resource{Type: karbor.NetworkType, ID: w.network, Name: "shop"}, "").Key()}
	doc, _ := documentOf(t, tenant, s)
	delete(doc, "outside")
	refer("fixed_ips", "subnet_id")(part(t, doc, "ports", anyPart), "11111111-2222-3333-4444-555555555555")
	if err := verified(t, s, doc); err != nil {
		t.Errorf("with an address in a subnet that may be another project's: %v", err)
	}
	lose("subnets")(t, doc)
	if err := verified(t, s, doc); err == nil {
		t.Error("a network without a subnet for its addresses is good")
	}
}
