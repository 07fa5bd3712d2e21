package layout09

import (
	"cmp"
	"encoding/json"
	"errors"
	"slices"

	"github.com/google/uuid"
)

// serverMetadata is what was kept of a server.
type serverMetadata struct {
	Attachments map[string]struct {
		Device   string `json:"device"`
		Bootable string `json:"bootable"`
	} `json:"attach_metadata"`
	Boot struct {
		Type     string `json:"boot_device_type"`
		ImageID  string `json:"boot_image_id"`
		VolumeID string `json:"boot_volume_id"`
	} `json:"boot_metadata"`
	Server struct {
		AvailabilityZone string          `json:"availability_zone"`
		Networks         []string        `json:"networks"`
		FloatingIPs      []string        `json:"floating_ips"`
		Flavor           json.RawMessage `json:"flavor"`
		KeyName          string          `json:"key_name"`
		SecurityGroups   []struct {
			Name string `json:"name"`
		} `json:"security_groups"`
	} `json:"server_metadata"`
}

// serverDocument is what the server plug-in reads (karbor-server-protection-plugin).
type serverDocument struct {
	Name             string       `json:"name"`
	AvailabilityZone string       `json:"availability_zone"`
	Flavor           flavor       `json:"flavor"`
	KeyName          string       `json:"key_name"`
	Image            string       `json:"image"`
	Ports            []serverPort `json:"ports"`
	FloatingIPs      []floatingIP `json:"floating_ips"`
	Volumes          []attachment `json:"volumes"`
	// BootVolumeGuessed says that nothing tells which volume it boots from.
	BootVolumeGuessed bool `json:"boot_volume_guessed,omitempty"`
}

// flavor has its id only: nothing else was kept.
type flavor struct {
	ID string `json:"id"`
}

type serverPort struct {
	port
	GroupNames map[string]string `json:"security_group_names"`
}

type floatingIP struct {
	ID      string `json:"id"`
	Address string `json:"floating_ip_address"`
	PortID  string `json:"port_id"`
}

type attachment struct {
	VolumeID  string `json:"volumeId"`
	Device    string `json:"device"`
	BootIndex int    `json:"boot_index"` // 0 for the volume to boot from, else -1
}

// server translates a server. What was not kept of it (user data, tags, metadata) it
// does not have.
func (t *Contents) server(n *Node) (any, error) {
	var m serverMetadata
	if err := n.decode(&m); err != nil {
		return nil, err
	}
	s := m.Server
	d := serverDocument{Name: n.Node.Name, AvailabilityZone: s.AvailabilityZone, KeyName: s.KeyName}
	if d.Flavor.ID = flavorID(s.Flavor); d.Flavor.ID == "" {
		return nil, n.damaged(errors.New("it names no flavor"))
	}
	if err := d.boot(n, m); err != nil {
		return nil, err
	}
	d.Ports = t.serverPorts(n.Node.ID, m)
	for _, address := range s.FloatingIPs {
		f := floatingIP{ID: made("floating address", n.Node.ID, address), Address: address}
		if len(d.Ports) > 0 {
			f.PortID = d.Ports[0].ID
		}
		d.FloatingIPs = append(d.FloatingIPs, f)
	}
	return d, nil
}

// flavorID reads a flavor: its id, or an object that has it.
func flavorID(raw json.RawMessage) string {
	var id string
	if json.Unmarshal(raw, &id) == nil {
		return id
	}
	var object flavor
	_ = json.Unmarshal(raw, &object) // what is none names none
	return object.ID
}

// boot notes what the server boots from, and its volumes.
func (d *serverDocument) boot(n *Node, m serverMetadata) error {
	bootVolume := ""
	if m.Boot.Type == "image" {
		if d.Image = m.Boot.ImageID; d.Image == "" {
			return n.damaged(errors.New("it names no image that the server boots from"))
		}
	} else if bootVolume = m.Boot.VolumeID; bootVolume == "" {
		d.BootVolumeGuessed = true
	}
	for id, a := range m.Attachments {
		v := attachment{VolumeID: id, Device: a.Device, BootIndex: -1}
		if id == bootVolume {
			v.BootIndex = 0
		}
		d.Volumes = append(d.Volumes, v)
	}
	if _, there := m.Attachments[bootVolume]; bootVolume != "" && !there {
		d.Volumes = append(d.Volumes, attachment{VolumeID: bootVolume})
	}
	slices.SortFunc(d.Volumes, func(a, b attachment) int {
		return cmp.Or(cmp.Compare(len(a.Device), len(b.Device)), cmp.Compare(a.Device, b.Device), cmp.Compare(a.VolumeID, b.VolumeID))
	})
	if !d.BootVolumeGuessed {
		return nil
	}
	if len(d.Volumes) == 0 {
		return n.damaged(errors.New("it names neither an image nor a volume that the server boots from"))
	}
	d.Volumes[0].BootIndex = 0
	return nil
}

// serverPorts gives a server's ports: those that the checkpoint's networks tell of, else one
// on each network that the server was on.
func (t *Contents) serverPorts(server string, m serverMetadata) []serverPort {
	if known := t.ports[server]; len(known) > 0 {
		return known
	}
	var out []serverPort
	for _, network := range m.Server.Networks {
		sp := serverPort{GroupNames: map[string]string{}}
		sp.ID, sp.NetworkID, sp.AdminStateUp = made("port", server, network), network, true
		for _, g := range m.Server.SecurityGroups {
			id := first(t.groups[g.Name], made("security group", g.Name))
			if _, twice := sp.GroupNames[id]; !twice {
				sp.SecurityGroups = append(sp.SecurityGroups, id)
			}
			sp.GroupNames[id] = g.Name
		}
		out = append(out, sp)
	}
	return out
}

// made makes an id for what was kept without one: the same each time.
func made(parts ...string) string {
	text, _ := json.Marshal(append([]string{"karbor layout 0.9"}, parts...)) // texts can be encoded
	return uuid.NewSHA1(uuid.NameSpaceOID, text).String()
}
