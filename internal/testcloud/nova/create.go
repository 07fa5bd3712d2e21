package nova

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"

	"github.com/karbor/karbor/internal/testcloud/fabric"
	"github.com/karbor/karbor/internal/testcloud/neutron"
)

// createRequest is the body's "server" of POST /servers.
type createRequest struct {
	Name        *string           `json:"name"`
	ImageRef    string            `json:"imageRef"`
	FlavorRef   any               `json:"flavorRef"`
	Networks    json.RawMessage   `json:"networks"`
	Mappings    []mapping         `json:"block_device_mapping_v2"`
	KeyName     string            `json:"key_name"`
	Metadata    map[string]string `json:"metadata"`
	Groups      []named           `json:"security_groups"`
	UserData    string            `json:"user_data"`
	Zone        string            `json:"availability_zone"`
	ConfigDrive any               `json:"config_drive"`
	AccessIPv4  string            `json:"accessIPv4"`
	AccessIPv6  string            `json:"accessIPv6"`
	DiskConfig  string            `json:"OS-DCF:diskConfig"`
	Tags        []string          `json:"tags"`
	Description *string           `json:"description"`
	Hostname    *string           `json:"hostname"`
	MinCount    any               `json:"min_count"`
	MaxCount    any               `json:"max_count"`
}

type named struct {
	Name string `json:"name"`
}

// hints are the body's scheduler hints.
type hints struct {
	Group string `json:"group"`
}

func (n *Nova) create(r *fabric.Request) error {
	if !r.Writer() {
		return denied("servers:create")
	}
	var body struct {
		Server  *createRequest `json:"server"`
		Hints   hints          `json:"os:scheduler_hints"`
		OldHint hints          `json:"OS-SCH-HNT:scheduler_hints"`
	}
	if err := r.Decode(&body); err != nil {
		return err
	}
	if body.Server == nil {
		return fabric.BadRequest("Invalid input for field/attribute body. 'server' is a required property")
	}
	want := body.Server
	s, err := n.plan(r, want)
	if err != nil {
		return err
	}
	if s.GroupID = body.Hints.Group + body.OldHint.Group; s.GroupID != "" {
		if _, err := n.group(r, s.GroupID); err != nil {
			return fabric.BadRequest("Instance group %s could not be found.", s.GroupID)
		}
	}
	count := max(1, number(want.MinCount), number(want.MaxCount))
	if want.Hostname != nil {
		if err := checkHost(r, *want.Hostname, count); err != nil {
			return err
		}
		s.Hostname = *want.Hostname
	}
	servers, err := n.admit(s, count, max(1, number(want.MinCount)))
	if err != nil {
		return err
	}
	for i := range servers {
		if err := n.start(r, &servers[i]); err != nil {
			return err
		}
	}
	first := servers[0]
	groups := []object{}
	for _, g := range want.Groups {
		groups = append(groups, object{"name": g.Name})
	}
	if len(groups) == 0 {
		groups = append(groups, object{"name": "default"})
	}
	r.W.Header().Set("Location", r.Base()+root+"/servers/"+first.ID)
	return r.JSON(http.StatusAccepted, object{"server": object{
		"id": first.ID, "links": links(r, "servers", first.ID), "OS-DCF:diskConfig": first.diskConfig(),
		"security_groups": groups, "adminPass": rand.Text()[:12],
	}})
}

// number reads a count, which may be a number or text.
func number(v any) int {
	var n int
	_, _ = fmt.Sscan(fmt.Sprint(v), &n)
	return n
}

// plan checks a request and makes the server that it asks for, without
// keeping it.
func (n *Nova) plan(r *fabric.Request, want *createRequest) (Server, error) {
	now := n.fab.Clock.Now()
	s := Server{
		ProjectID: r.ProjectID, UserID: r.UserID, UserName: r.UserName, ProjectTag: r.ProjectName,
		State: building, Task: "scheduling", CreatedAt: now, UpdatedAt: now,
		Metadata: want.Metadata, Tags: slices.Clone(want.Tags), KeyName: want.KeyName, UserData: want.UserData,
		ConfigDrive: want.ConfigDrive == true || want.ConfigDrive == "true" || want.ConfigDrive == "True",
		Description: want.Description, Zone: want.Zone,
		AccessIPv4: want.AccessIPv4, AccessIPv6: want.AccessIPv6, DiskConfig: want.DiskConfig,
	}
	if want.Name == nil || *want.Name == "" {
		return s, fabric.BadRequest("Invalid input for field/attribute server. 'name' is a required property")
	}
	s.Name = *want.Name
	if s.DiskConfig != "" && s.DiskConfig != "AUTO" && s.DiskConfig != "MANUAL" {
		return s, fabric.BadRequest("Invalid input for field/attribute OS-DCF:diskConfig. Value: %s.", s.DiskConfig)
	}
	if s.Metadata == nil {
		s.Metadata = map[string]string{}
	}
	if s.Tags == nil {
		s.Tags = []string{}
	}
	if _, there := placed(want.Zone); !there {
		return s, fabric.BadRequest("The requested availability zone is not available")
	}
	flavor, ok := n.flavors.Get(fmt.Sprint(want.FlavorRef))
	if !ok {
		return s, fabric.BadRequest("Flavor %v could not be found.", want.FlavorRef)
	}
	s.Flavor = flavor
	if s.KeyName != "" {
		if _, ok := n.keypairs.Get(keyID(r.UserID, s.KeyName)); !ok {
			return s, fabric.BadRequest("Invalid key_name provided.")
		}
	}
	if err := n.planNetworks(r, want, &s); err != nil {
		return s, err
	}
	return s, n.planDisks(r, want, &s)
}

// wish is one of the request's networks.
type wish struct {
	UUID    string `json:"uuid"`
	Port    string `json:"port"`
	FixedIP string `json:"fixed_ip"`
	Tag     string `json:"tag"`
}

func (n *Nova) planNetworks(r *fabric.Request, want *createRequest, s *Server) error {
	var names []string
	for _, g := range want.Groups {
		names = append(names, g.Name)
	}
	var err error
	if s.GroupIDs, err = n.networks.Groups(r.Identity, names); err != nil {
		return err
	}
	if want.Networks == nil {
		if r.Version.AtLeast(2, 37) {
			return fabric.BadRequest("Invalid input for field/attribute server. 'networks' is a required property")
		}
		want.Networks = json.RawMessage(`"auto"`)
	}
	switch string(want.Networks) {
	case `"none"`:
		return nil
	case `"auto"`, `null`, `[]`:
		own := n.networks.OwnNetworks(r.ProjectID)
		if len(own) > 1 {
			return fabric.Conflict("Multiple possible networks found, use a Network ID to be more specific.")
		}
		for _, id := range own {
			s.Wants = append(s.Wants, neutron.Want{Network: id})
		}
		return nil
	}
	var wishes []wish
	if err := json.Unmarshal(want.Networks, &wishes); err != nil {
		return fabric.BadRequest("Invalid input for field/attribute networks. Value: %s.", want.Networks)
	}
	for _, w := range wishes {
		asked := neutron.Want{Port: w.Port, Network: w.UUID, FixedIP: w.FixedIP, Tag: w.Tag}
		if err := n.networks.Check(r.Identity, asked); err != nil {
			return err
		}
		s.Wants = append(s.Wants, asked)
	}
	return nil
}

// admit checks the quotas and keeps the servers. Of more than one, each gets
// a number behind its name.
func (n *Nova) admit(s Server, count, least int) ([]Server, error) {
	var servers []Server
	err := n.fab.Atomic(func() error {
		used := n.usage(s.ProjectID)
		for name, each := range map[string]int{"instances": 1, "cores": s.Flavor.VCPUs, "ram": s.Flavor.RAM} {
			if over := n.fab.Quotas.Check(s.ProjectID, name, used[name], each*least); over != nil {
				return over.Nova()
			}
			for count > least && n.fab.Quotas.Check(s.ProjectID, name, used[name], each*count) != nil {
				count--
			}
		}
		for i := range count {
			one := s
			one.ID = fabric.NewID()
			one.Devices = slices.Clone(s.Devices)
			if count > 1 {
				one.Name = fmt.Sprintf("%s-%d", s.Name, i+1)
			}
			if one.Hostname == "" {
				one.Hostname = hostOf(one.Name, one.ID)
			}
			n.servers.Put(one.ID, one)
			servers = append(servers, one)
		}
		return nil
	})
	return servers, err
}

// start reserves the volumes that are there already, and begins the build. A
// server whose volume is not to be had is dropped.
func (n *Nova) start(r *fabric.Request, s *Server) error {
	for i, d := range s.Devices {
		if d.VolumeID == "" {
			continue
		}
		attachment, err := n.volumes.ReserveVolume(r.Identity, d.VolumeID, s.ID)
		if err != nil {
			n.unreserve(s.Devices[:i])
			n.servers.Delete(s.ID)
			return err
		}
		s.Devices[i].AttachmentID = attachment
	}
	n.change(s.ID, func(kept *Server) { kept.Devices = s.Devices })
	n.note(r, s.ID, "create")
	n.launch(*s)
	return nil
}

func (n *Nova) unreserve(devices []Device) {
	for _, d := range devices {
		if d.AttachmentID == "" {
			continue
		}
		if err := n.volumes.DetachVolume(d.AttachmentID); err != nil {
			n.fab.Log.Warn("giving a reserved volume back", "volume", d.VolumeID, "error", err)
		}
	}
}
