package manila

import (
	"net/http"

	"github.com/karbor/karbor/internal/testcloud/fabric"
)

// defaultType is the share type of shares for which none is asked.
const defaultType = "default"

// shareType says what shares can do.
type shareType struct {
	ID         string            `json:"id"`
	Name       string            `json:"name"`
	ExtraSpecs map[string]string `json:"extra_specs"`
}

// Extra specs that a tenant sees.
const (
	handlesServers = "driver_handles_share_servers"
	snapshots      = "snapshot_support"
	fromSnapshot   = "create_share_from_snapshot_support"
)

func (m *Manila) seedTypes() {
	for _, t := range []shareType{
		{Name: defaultType, ExtraSpecs: map[string]string{handlesServers: "False", snapshots: "True", fromSnapshot: "True"}},
		{Name: "frozen", ExtraSpecs: map[string]string{handlesServers: "False", snapshots: "True"}},
		{Name: "plain", ExtraSpecs: map[string]string{handlesServers: "False"}},
		{Name: "networked", ExtraSpecs: map[string]string{handlesServers: "True", snapshots: "True", fromSnapshot: "True"}},
	} {
		if _, ok := m.findType(t.Name); !ok {
			t.ID = fabric.NewID()
			m.types.Put(t.ID, t)
		}
	}
}

// findType finds a type by name or id; the default one if ref is empty.
func (m *Manila) findType(ref string) (shareType, bool) {
	if ref == "" {
		ref = defaultType
	}
	for _, t := range m.types.List(nil) {
		if t.ID == ref || t.Name == ref {
			return t, true
		}
	}
	return shareType{}, false
}

func showType(t shareType) map[string]any {
	specs := map[string]any{"mount_snapshot_support": "False", "revert_to_snapshot_support": "False"}
	for _, name := range []string{snapshots, fromSnapshot} {
		specs[name] = "False"
	}
	for k, v := range t.ExtraSpecs {
		specs[k] = v
	}
	return map[string]any{"id": t.ID, "name": t.Name, "description": nil, "share_type_access:is_public": true,
		"is_default": t.Name == defaultType, "extra_specs": specs,
		"required_extra_specs": map[string]any{handlesServers: t.ExtraSpecs[handlesServers]}}
}

func (m *Manila) typeRoutes() {
	m.handle("GET", "/types", func(r *fabric.Request) error {
		list := []any{}
		for _, t := range m.types.List(nil) {
			list = append(list, showType(t))
		}
		return r.JSON(http.StatusOK, map[string]any{"share_types": list, "volume_types": list})
	})
	m.handle("GET", "/types/{id}", func(r *fabric.Request) error {
		ref := r.PathValue("id")
		t, ok := m.findType(ref)
		if !ok {
			return fabric.NotFound("Share type not found.")
		}
		return r.JSON(http.StatusOK, map[string]any{"share_type": showType(t), "volume_type": showType(t)})
	})
}

// shareNetwork is where the servers of shares stand.
type shareNetwork struct {
	ID          string `json:"id"`
	Name        string `json:"name"`
	Description string `json:"description"`
	Project     string `json:"project"`
	NetworkID   string `json:"neutron_net_id"`
	SubnetID    string `json:"neutron_subnet_id"`
	CreatedAt   string `json:"created_at"`
}

func (n shareNetwork) show() map[string]any {
	return map[string]any{"share_network": map[string]any{"id": n.ID, "name": textOrNull(n.Name), "description": textOrNull(n.Description),
		"project_id": n.Project, "created_at": n.CreatedAt, "updated_at": nil, "status": "active",
		"share_network_subnets": []any{map[string]any{"neutron_net_id": n.NetworkID, "neutron_subnet_id": n.SubnetID, "availability_zone": nil}}}}
}

func (m *Manila) network(who fabric.Identity, id string) (shareNetwork, error) {
	n, ok := m.networks.Get(id)
	if !ok || !who.Sees(n.Project) {
		return n, fabric.NotFound("Share network %s could not be found.", id)
	}
	return n, nil
}

func (m *Manila) networkRoutes() {
	m.handle("POST", "/share-networks", func(r *fabric.Request) error {
		var body struct {
			Network struct {
				Name        string `json:"name"`
				Description string `json:"description"`
				NetworkID   string `json:"neutron_net_id"`
				SubnetID    string `json:"neutron_subnet_id"`
			} `json:"share_network"`
		}
		if err := r.Decode(&body); err != nil {
			return err
		}
		if err := mayWrite(r, "share_network:create"); err != nil {
			return err
		}
		if (body.Network.NetworkID == "") != (body.Network.SubnetID == "") {
			return fabric.BadRequest("Both neutron_net_id and neutron_subnet_id should be specified.")
		}
		n := shareNetwork{ID: fabric.NewID(), Name: body.Network.Name, Description: body.Network.Description, Project: r.ProjectID,
			NetworkID: body.Network.NetworkID, SubnetID: body.Network.SubnetID, CreatedAt: fabric.Micros(m.fab.Clock.Now())}
		if err := m.within(r.ProjectID, "", []want{{"share_networks", 1}}, func() { m.networks.Put(n.ID, n) }); err != nil {
			return err
		}
		return r.JSON(http.StatusAccepted, n.show())
	})
	list := func(r *fabric.Request) error {
		out := []any{}
		for _, n := range m.networks.List(func(n shareNetwork) bool { return n.Project == r.ProjectID }) {
			out = append(out, n.show()["share_network"])
		}
		return r.JSON(http.StatusOK, map[string]any{"share_networks": out})
	}
	m.handle("GET", "/share-networks", list)
	m.handle("GET", "/share-networks/detail", list)
	m.handle("GET", "/share-networks/{id}", func(r *fabric.Request) error {
		n, err := m.network(r.Identity, r.PathValue("id"))
		if err != nil {
			return err
		}
		return r.JSON(http.StatusOK, n.show())
	})
	m.handle("DELETE", "/share-networks/{id}", func(r *fabric.Request) error {
		n, err := m.network(r.Identity, r.PathValue("id"))
		if err != nil {
			return err
		}
		if err := mayWrite(r, "share_network:delete"); err != nil {
			return err
		}
		if users := len(m.shares.List(func(s share) bool { return s.NetworkID == n.ID })); users > 0 {
			return fabric.Conflict("Can not delete share network %s, it has %d share(s).", n.ID, users)
		}
		m.networks.Delete(n.ID)
		return r.Empty(http.StatusAccepted)
	})
}
