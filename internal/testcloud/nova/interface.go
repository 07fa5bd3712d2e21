package nova

import (
	"context"
	"net/http"
	"slices"

	"github.com/karbor/karbor/internal/testcloud/fabric"
	"github.com/karbor/karbor/internal/testcloud/neutron"
)

func (n *Nova) interfaceRoutes() {
	path := root + "/servers/{id}/os-interface"
	n.Handle("GET "+path, func(r *fabric.Request) error {
		s, err := n.find(r)
		if err != nil {
			return err
		}
		list := []object{}
		for _, p := range n.networks.PortsOf(s.ID) {
			list = append(list, interfaceView(r, s, p))
		}
		return r.JSON(http.StatusOK, object{"interfaceAttachments": list})
	})
	n.Handle("GET "+path+"/{port}", func(r *fabric.Request) error {
		s, p, err := n.findPort(r)
		if err != nil {
			return err
		}
		return r.JSON(http.StatusOK, object{"interfaceAttachment": interfaceView(r, s, p)})
	})
	n.Handle("POST "+path, n.plug)
	n.Handle("DELETE "+path+"/{port}", n.unplug)
	n.Handle("GET "+root+"/servers/{id}/ips", func(r *fabric.Request) error {
		s, err := n.find(r)
		if err != nil {
			return err
		}
		return r.JSON(http.StatusOK, object{"addresses": n.addresses(s.ID, false)})
	})
	n.Handle("GET "+root+"/servers/{id}/os-security-groups", n.serverGroups)
}

func (n *Nova) findPort(r *fabric.Request) (Server, neutron.Port, error) {
	s, err := n.find(r)
	if err != nil {
		return s, neutron.Port{}, err
	}
	for _, p := range n.networks.PortsOf(s.ID) {
		if p.ID == r.PathValue("port") {
			return s, p, nil
		}
	}
	return s, neutron.Port{}, fabric.NotFound("Instance %s does not have a port with id %s", s.ID, r.PathValue("port"))
}

func interfaceView(r *fabric.Request, s Server, p neutron.Port) object {
	o := object{
		"net_id": p.NetworkID, "port_id": p.ID, "mac_addr": p.MACAddress, "port_state": p.Status, "fixed_ips": p.FixedIPs,
	}
	if r.Version.AtLeast(2, 70) {
		o["tag"] = nil
		for _, own := range s.Ports {
			if own.ID == p.ID && own.Tag != "" {
				o["tag"] = own.Tag
			}
		}
	}
	return o
}

func (n *Nova) plug(r *fabric.Request) error {
	s, err := n.own(r, "os-attach-interfaces:create")
	if err != nil {
		return err
	}
	var body struct {
		Attachment struct {
			NetID    string            `json:"net_id"`
			PortID   string            `json:"port_id"`
			Tag      string            `json:"tag"`
			FixedIPs []neutron.FixedIP `json:"fixed_ips"`
		} `json:"interfaceAttachment"`
	}
	if err := r.Decode(&body); err != nil {
		return err
	}
	if !slices.Contains([]string{active, stopped, paused}, s.State) || s.Task == deleting {
		return fabric.Conflict("Cannot 'attach_interface' instance %s while it is in vm_state %s", s.ID, s.State)
	}
	a := body.Attachment
	if a.NetID != "" && a.PortID != "" {
		return fabric.BadRequest("Must not input both network_id and port_id")
	}
	want := neutron.Want{Port: a.PortID, Network: a.NetID, Tag: a.Tag}
	if len(a.FixedIPs) > 0 {
		want.FixedIP = a.FixedIPs[0].IPAddress
	}
	if want.Port == "" && want.Network == "" {
		own := n.networks.OwnNetworks(s.ProjectID)
		if len(own) == 0 {
			return fabric.NotFound("No networks defined.")
		}
		want.Network = own[0]
	}
	if err := n.networks.Check(r.Identity, want); err != nil {
		return err
	}
	port, made, err := n.networks.Connect(r.Identity, s.ID, s.place().zone, s.GroupIDs, want)
	if err != nil {
		return err
	}
	s, _ = n.change(s.ID, func(s *Server) { s.Ports = append(s.Ports, ServerPort{port.ID, made, want.Tag}) })
	n.note(r, s.ID, "attach_interface")
	return r.JSON(http.StatusOK, object{"interfaceAttachment": interfaceView(r, s, port)})
}

func (n *Nova) unplug(r *fabric.Request) error {
	if _, err := n.own(r, "os-attach-interfaces:delete"); err != nil {
		return err
	}
	s, p, err := n.findPort(r)
	if err != nil {
		return err
	}
	n.note(r, s.ID, "detach_interface")
	n.fab.Transit("nova", "server.unplug", s.ProjectID, func(ctx context.Context, fail bool) {
		if ctx.Err() != nil || fail {
			return
		}
		made := false
		n.change(s.ID, func(s *Server) {
			s.Ports = slices.DeleteFunc(s.Ports, func(own ServerPort) bool {
				made = made || own.ID == p.ID && own.Made
				return own.ID == p.ID
			})
		})
		n.complain(s.ID, n.networks.Disconnect(p.ID, made))
	})
	return accepted(r)
}

// serverGroups shows a server's security groups in Nova's old form.
func (n *Nova) serverGroups(r *fabric.Request) error {
	s, err := n.find(r)
	if err != nil {
		return err
	}
	list := []object{}
	for _, g := range n.networks.GroupsOf(s.ID) {
		list = append(list, object{
			"id": g.ID, "name": g.Name, "description": g.Description, "tenant_id": g.TenantID,
			"rules": n.oldRules(g.ID),
		})
	}
	return r.JSON(http.StatusOK, object{"security_groups": list})
}

// oldRules are the rules of a group that let something in, as Nova's own
// security groups once were.
func (n *Nova) oldRules(group string) []object {
	list := []object{}
	for _, rule := range n.networks.IngressOf(group) {
		from, peer := object{}, object{}
		if rule.NormalizedCIDR != nil {
			from["cidr"] = *rule.NormalizedCIDR
		}
		if rule.RemoteGroupID != nil {
			peer["name"], peer["tenant_id"] = n.networks.GroupName(*rule.RemoteGroupID), rule.TenantID
		}
		list = append(list, object{
			"id": rule.ID, "parent_group_id": group, "ip_protocol": rule.Protocol, "from_port": rule.PortMin,
			"to_port": rule.PortMax, "ip_range": from, "group": peer,
		})
	}
	return list
}
