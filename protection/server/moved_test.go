package server_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/protection"
	"github.com/karbor/karbor/protection/protectiontest"
)

// restoredAndLost restores a server, whose security group is made anew, and gives what undoes that.
func (s *site) restoredAndLost(t *testing.T) (call *protection.Call, restored string, undo func() error) {
	t.Helper()
	source, p := s.source(t, false), open(t)
	single := protectiontest.NewSingle(p, source)
	if err := single.Run(t, p.Hooks(karbor.Protect, karbor.ServerType).Main, single.Begin(s.tenant.Cloud, nil, nil)); err != nil {
		t.Fatal(err)
	}
	source.Destroy(t)
	s.dropGroup(t)
	children, _ := source.Children(t)
	call = single.Begin(s.tenant.Cloud, children.Nodes, nil)
	hooks := p.Hooks(karbor.RestoreOperation, karbor.ServerType)
	if err := single.Run(t, hooks.Complete, call); err != nil {
		t.Fatal(err)
	}
	return call, single.Result().ID, func() error { return single.Run(t, undone(hooks), call) }
}

// there reports whether something is there.
func (s *site) there(t *testing.T, service, path, member string) bool {
	t.Helper()
	return s.tenant.Show(t, service, path, member) != nil
}

// TestUndoLeavesAServerAloneThatHasGotOneOfItsPorts has the tenant move the restored server's interface to
// another server of his, while the restore is still at other resources; then that fails.
func TestUndoLeavesAServerAloneThatHasGotOneOfItsPorts(t *testing.T) {
	s := newSite(t)
	n := s.tenant
	call, restored, undo := s.restoredAndLost(t)
	port := s.portOf(t, restored)
	id, groups := text(port, "id"), port["security_groups"].([]any)
	fips, _ := n.Do(t, "network", http.MethodGet, "floatingips?port_id="+id, nil)["floatingips"].([]any)
	if len(groups) != 1 || len(fips) != 1 {
		t.Fatalf("the restored port is in the groups %v, and has the addresses %v", groups, fips)
	}
	other := text(n.Make(t, "compute", "servers", "server", map[string]any{"name": "precious", "flavorRef": "1", "imageRef": s.image, "networks": "none"}), "id")
	n.Await(t, "compute", "servers/"+other, "server", "ACTIVE")
	n.Do(t, "compute", http.MethodDelete, "servers/"+restored+"/os-interface/"+id, nil)
	n.Await(t, "network", "ports/"+id, "port", "DOWN")
	n.Do(t, "compute", http.MethodPost, "servers/"+other+"/os-interface", map[string]any{"interfaceAttachment": map[string]any{"port_id": id}})
	if got := text(n.Show(t, "network", "ports/"+id, "port"), "device_id"); got != other {
		t.Fatalf("the port is at %s", got)
	}
	for range 2 { // the ledger tries it again
		err := undo()
		if karbor.KindOf(err) != karbor.Conflict || karbor.IsTransient(err) || !strings.Contains(err.Error(), id) || !strings.Contains(err.Error(), other) {
			t.Errorf("undoing: %v", err)
		}
	}
	if s.there(t, "compute", "servers/"+restored, "server") || s.there(t, "compute", "os-keypairs/shop", "keypair") {
		t.Error("what the restore made, and nothing else uses, is not gone")
	}
	fip := text(fips[0].(map[string]any), "id")
	if !s.there(t, "compute", "servers/"+other, "server") || text(n.Show(t, "network", "ports/"+id, "port"), "device_id") != other ||
		text(n.Show(t, "network", "floatingips/"+fip, "floatingip"), "port_id") != id || !s.there(t, "network", "security-groups/"+groups[0].(string), "security_group") {
		t.Error("the tenant's other server has not all that he has given it")
	}
	// Once it is off there, all goes.
	n.Do(t, "compute", http.MethodDelete, "servers/"+other+"/os-interface/"+id, nil)
	n.Await(t, "network", "ports/"+id, "port", "DOWN")
	if err := undo(); err != nil {
		t.Fatal(err)
	}
	for _, line := range n.Inventory(t) {
		if strings.Contains(line, protection.OwnerMark(call.Owner)) || strings.HasPrefix(line, "floatingips ") || strings.HasPrefix(line, "ports ") && strings.Contains(line, id) {
			t.Errorf("left is %s", line)
		}
	}
}

// TestUndoReleasesNoFloatingAddressThatTheTenantHasMoved has him give it to another port of his.
func TestUndoReleasesNoFloatingAddressThatTheTenantHasMoved(t *testing.T) {
	s := newSite(t)
	n := s.tenant
	_, restored, undo := s.restoredAndLost(t)
	port := text(s.portOf(t, restored), "id")
	fips, _ := n.Do(t, "network", http.MethodGet, "floatingips?port_id="+port, nil)["floatingips"].([]any)
	fip := text(fips[0].(map[string]any), "id")
	own := text(n.Make(t, "network", "ports", "port", map[string]any{"network_id": s.network}), "id")
	n.Do(t, "network", http.MethodPut, "floatingips/"+fip, map[string]any{"floatingip": map[string]any{"port_id": own}})
	if err := undo(); karbor.KindOf(err) != karbor.Conflict || !strings.Contains(err.Error(), own) {
		t.Errorf("undoing: %v", err)
	}
	if text(n.Show(t, "network", "floatingips/"+fip, "floatingip"), "port_id") != own || s.there(t, "network", "ports/"+port, "port") {
		t.Error("the address is not where the tenant has put it, or the restored port is left")
	}
}

// TestUndoRemovesAPortWhoseServerIsGone is with a port of which Nova has not told Neutron that its server is gone.
func TestUndoRemovesAPortWhoseServerIsGone(t *testing.T) {
	s := newSite(t)
	n := s.tenant
	_, restored, undo := s.restoredAndLost(t)
	port := text(s.portOf(t, restored), "id")
	n.Remove(t, "compute", "servers/"+restored, "server")
	n.Do(t, "network", http.MethodPut, "ports/"+port, map[string]any{"port": map[string]any{"device_id": karbor.NewID(), "device_owner": "compute:nova"}})
	if err := undo(); err != nil {
		t.Fatal(err)
	}
	if s.there(t, "network", "ports/"+port, "port") {
		t.Error("the port is left")
	}
}
