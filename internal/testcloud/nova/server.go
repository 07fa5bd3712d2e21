package nova

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/karbor/karbor/internal/testcloud/fabric"
	"github.com/karbor/karbor/internal/testcloud/neutron"
)

// The states of a server, in Nova's words.
const (
	building  = "building"
	active    = "active"
	stopped   = "stopped"
	paused    = "paused"
	suspended = "suspended"
	failed    = "error"

	deleting = "deleting"
)

// powers are Nova's numbers for the power of a machine in a state.
var powers = map[string]int{building: 0, failed: 0, active: 1, paused: 3, stopped: 4, suspended: 4}

// Server is a server as it is kept.
type Server struct {
	ID, Name             string
	ProjectID, UserID    string
	UserName, ProjectTag string // the project's name
	State, Task          string
	Fault                *Fault
	ImageID              string // empty for a server that boots from a volume
	Image                ImageFacts
	Flavor               Flavor
	CreatedAt, UpdatedAt time.Time
	LaunchedAt           time.Time
	Metadata             map[string]string
	Tags                 []string
	KeyName              string
	UserData             string
	ConfigDrive          bool
	AccessIPv4           string
	AccessIPv6           string
	DiskConfig           string // AUTO or MANUAL; empty: MANUAL
	Description          *string
	Hostname             string // what the guest is told that it is called
	Zone                 string // as asked for
	GroupIDs             []string
	GroupID              string // the server group
	Locked               bool
	// Devices are the disks on volumes, the root first if it is one.
	Devices []Device
	// Wants are the interfaces asked for, and Ports those it has.
	Wants []neutron.Want
	Ports []ServerPort
	// Boots counts the boots, Written those whose block is in the root disk.
	Boots, Written int
	// RootSize is the root disk's length in bytes before the first boot.
	RootSize int64
	// Pending is the id of the image that createImage is making.
	Pending string
}

// Fault says why a server is in error.
type Fault struct {
	Message string
	At      time.Time
}

// ImageFacts are what an image of the server inherits from its own image.
type ImageFacts struct {
	DiskFormat, Container string
	MinDisk, MinRAM       int
	Properties            map[string]string
}

// Device is a volume as a disk of a server, or the wish for one.
type Device struct {
	ID           string // the block device mapping's own
	VolumeID     string
	AttachmentID string
	Name         string // /dev/vdb
	Boot         bool
	DeleteOnEnd  bool
	Tag          string
	Attached     bool
	Leaving      bool
	// Source says what to make the volume from, as long as there is none.
	Source     string // image, snapshot, blank, volume
	SourceID   string
	SizeGiB    int
	VolumeType string
}

// ServerPort is a port of a server; Made says that Nova made it, and so
// removes it.
type ServerPort struct {
	ID   string
	Made bool
	Tag  string
}

// owner is the identity in whose name background work goes on.
func (s *Server) owner() fabric.Identity {
	return fabric.Identity{
		UserID: s.UserID, UserName: s.UserName, ProjectID: s.ProjectID, ProjectName: s.ProjectTag,
		Roles: []string{"member", "reader"},
	}
}

// rootDevice is the disk that the server boots from, if it is a volume.
func (s *Server) rootDevice() *Device {
	for i := range s.Devices {
		if s.Devices[i].Boot {
			return &s.Devices[i]
		}
	}
	return nil
}

func (s *Server) device(volume string) *Device {
	for i := range s.Devices {
		if s.Devices[i].VolumeID == volume {
			return &s.Devices[i]
		}
	}
	return nil
}

// nextDevice gives the first free device name. vda is the root disk's.
func (s *Server) nextDevice() string {
	for letter := 'b'; ; letter++ {
		name := fmt.Sprintf("/dev/vd%c", letter)
		if !slices.ContainsFunc(s.Devices, func(d Device) bool { return d.Name == name }) {
			return name
		}
	}
}

// status is the API's word for the state.
func (s *Server) status() string {
	switch s.Task {
	case "rebooting":
		return "REBOOT"
	case "rebooting_hard":
		return "HARD_REBOOT"
	}
	return map[string]string{
		building: "BUILD", active: "ACTIVE", stopped: "SHUTOFF", paused: "PAUSED",
		suspended: "SUSPENDED", failed: "ERROR",
	}[s.State]
}

// hostID hides the host's name from tenants, as Nova does.
func (s *Server) hostID() string {
	if s.State == building {
		return ""
	}
	sum := sha256.Sum224([]byte(s.ProjectID + s.place().host))
	return hex.EncodeToString(sum[:])
}

func (n *Nova) blob(id string) fabric.Blob { return fabric.Blob{Kind: fabric.ServerBlob, ID: id} }

// find gives the server of the path when the caller may see it.
func (n *Nova) find(r *fabric.Request) (Server, error) {
	id := r.PathValue("id")
	s, ok := n.servers.Get(id)
	if !ok || !r.Sees(s.ProjectID) {
		return s, fabric.NotFound("Instance %s could not be found.", id)
	}
	return s, nil
}

// own is find for a caller who wants to change the server.
func (n *Nova) own(r *fabric.Request, rule string) (Server, error) {
	s, err := n.find(r)
	if err != nil {
		return s, err
	}
	if !r.Writer() {
		return s, denied(rule)
	}
	if s.Locked && !r.Admin() {
		return s, fabric.Conflict("Instance %s is locked", s.ID)
	}
	return s, nil
}

// change updates a server that may have gone meanwhile; then it gives false.
func (n *Nova) change(id string, do func(*Server)) (Server, bool) {
	s, ok, _ := n.servers.Update(id, func(s *Server) error {
		do(s)
		s.UpdatedAt = n.fab.Clock.Now()
		return nil
	})
	return s, ok
}

// begin sets a task when the server is in one of the states and has none, and
// notes the event. With no states given, any will do.
func (n *Nova) begin(r *fabric.Request, id, verb, task string, states ...string) (Server, error) {
	s, ok, err := n.servers.Update(id, func(s *Server) error {
		if len(states) > 0 && !slices.Contains(states, s.State) {
			return fabric.Conflict("Cannot '%s' instance %s while it is in vm_state %s", verb, id, s.State)
		}
		if s.Task != "" {
			return fabric.Conflict("Cannot '%s' instance %s while it is in task_state %s", verb, id, s.Task)
		}
		s.Task, s.UpdatedAt = task, n.fab.Clock.Now()
		return nil
	})
	if err != nil {
		return s, err
	}
	if !ok {
		return s, fabric.NotFound("Instance %s could not be found.", id)
	}
	n.note(r, id, verb)
	return s, nil
}

func (n *Nova) serverRoutes() {
	n.Handle("GET "+root+"/servers", n.list(false))
	n.Handle("GET "+root+"/servers/detail", n.list(true))
	n.Handle("POST "+root+"/servers", n.create)
	n.Handle("GET "+root+"/os-volumes_boot", n.list(false))
	n.Handle("POST "+root+"/os-volumes_boot", n.create)
	n.Handle("GET "+root+"/servers/{id}", n.show)
	n.Handle("PUT "+root+"/servers/{id}", n.rename)
	n.Handle("DELETE "+root+"/servers/{id}", n.delete)
	n.Handle("POST "+root+"/servers/{id}/action", n.action)
	n.Handle("GET "+root+"/servers/{id}/os-instance-actions", n.eventList)
	n.Handle("GET "+root+"/servers/{id}/os-instance-actions/{request}", n.eventShow)
}

func (n *Nova) show(r *fabric.Request) error {
	s, err := n.find(r)
	if err != nil {
		return err
	}
	return r.JSON(http.StatusOK, object{"server": n.view(r, s)})
}

func (n *Nova) rename(r *fabric.Request) error {
	s, err := n.own(r, "servers:update")
	if err != nil {
		return err
	}
	var body struct {
		Server struct {
			Name        *string `json:"name"`
			Description *string `json:"description"`
			Hostname    *string `json:"hostname"`
		} `json:"server"`
	}
	if err := r.Decode(&body); err != nil {
		return err
	}
	if host := body.Server.Hostname; host != nil {
		if err := checkHost(r, *host, 1); err != nil {
			return err
		}
	}
	s, _ = n.change(s.ID, func(s *Server) {
		if body.Server.Name != nil {
			s.Name = *body.Server.Name
		}
		if body.Server.Description != nil {
			s.Description = body.Server.Description
		}
		if body.Server.Hostname != nil {
			s.Hostname = *body.Server.Hostname
		}
	})
	return r.JSON(http.StatusOK, object{"server": n.view(r, s)})
}
