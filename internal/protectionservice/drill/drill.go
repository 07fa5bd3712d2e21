// Package drill is what a restore drill does besides restoring: the network of its own that
// what it restores is in, the probes, and the record of what they saw. The protection service
// runs it as parts of an operation. Everything that it makes in the cloud has a mark of the
// drill, by which it is found again and removed.
package drill

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/protection"
)

// The names of the probes.
const (
	ActiveProbe  = "active"
	ConsoleProbe = "console"
	VolumeProbe  = "volume"
	PortProbe    = "port"
	CommandProbe = "command"
)

// Role is the role of the node that stands for the drill's own networks in its graph.
const Role = "drill"

// maxPattern is the longest pattern of a console probe, in bytes.
const maxPattern = 1000

// IsSite reports whether a node is the one of a drill's own networks.
func IsSite(n *karbor.Node) bool { return n.Type == karbor.NetworkType && n.Role == Role }

// Alone reports whether a type is never restored in a drill, and why: a drill has networks of
// its own, and a project is what is in it.
func Alone(t karbor.ResourceType) (reason string, alone bool) {
	switch t {
	case karbor.NetworkType:
		return "A drill has networks of its own.", true
	case karbor.ProjectType:
		return "A drill restores what is in the project.", true
	default:
		return "", false
	}
}

// Graph gives what a drill restores of a checkpoint: the nodes of the types that can be drilled,
// in part, and the node of its own networks, which all of them need.
func Graph(id string, checkpoint *karbor.Graph, part func(*karbor.Node) bool) *karbor.Graph {
	out := &karbor.Graph{}
	for _, n := range checkpoint.Nodes() {
		if part(n) {
			out.Add(n.Resource, n.Role)
		}
	}
	if len(out.Nodes()) == 0 {
		return out
	}
	drilled := slices.Clone(out.Nodes())
	site := out.Add(karbor.Resource{Type: karbor.NetworkType, ID: id, Name: Name(id)}, Role)
	for _, n := range drilled {
		for _, child := range checkpoint.Children(checkpoint.Node(n.Key())) {
			if c := out.Node(child.Key()); c != nil {
				out.Connect(n, c)
			}
		}
		out.Connect(n, site)
	}
	return out
}

// Name is what the networks of a drill, and what else it makes, are called; what it restores has
// it before its own name.
func Name(id string) string { return "karbor-drill-" + id[:8] }

// Mark is the description of what a drill makes in Neutron, for a key that tells its things apart.
// It says whose it is, too: see Marked.
func Mark(call *protection.Call, key string) string {
	return protection.DrillText(call.OperationID, call.Installation, key)
}

// Marked takes the description of a thing in Neutron apart: the id of the drill that has made it,
// and the name of its Karbor. ok is false if it is of none.
func Marked(description string) (id, installation string, ok bool) {
	return protection.CutDrillText(description)
}

func markPrefix(id string) string { return protection.DrillTextPrefix(id) }

// imageName is the name of the temporary image that a volume is read through.
func imageName(id, volume string) string { return "karbor-drill-" + id + "-" + volume }

// Mapping gives the mapping of a drill's restore: the caller's, which may only name what else to
// take, and what keeps the drill away from the original. The error is karbor.Invalid.
func Mapping(id string, own map[string]any) (map[string]any, error) {
	allowed := []string{protection.MapFlavors, protection.MapKeypairs, protection.MapZones, protection.MapVolumeTypes}
	out := map[string]any{
		"name_prefix": Name(id) + "-", "floating_ips": "none", "power": "running",
	}
	for name, value := range own {
		if !slices.Contains(allowed, name) {
			return nil, karbor.Errorf(karbor.Invalid, "mapping: a drill maps %s, and not %q", strings.Join(allowed, ", "), name)
		}
		out[name] = value
	}
	return out, nil
}

// Check makes sure that probes can be made. The error is karbor.Invalid.
func Check(p karbor.DrillProbes) error {
	if p == (karbor.DrillProbes{}) {
		return karbor.Errorf(karbor.Invalid, "probes: none is named; without a probe a drill shows nothing")
	}
	if c := p.Console; c != nil {
		if _, err := regexp.Compile(c.Pattern); err != nil || c.Pattern == "" || len(c.Pattern) > maxPattern {
			return karbor.Errorf(karbor.Invalid, "probes.console.pattern: it is not a regular expression (RE2) of 1 to %d bytes", maxPattern)
		}
		if err := checkTimeout("console", c.Timeout); err != nil {
			return err
		}
	}
	if c := p.Port; c != nil {
		if c.Port < 1 || c.Port > 65535 {
			return karbor.Errorf(karbor.Invalid, "probes.port.port: %d is not between 1 and 65535", c.Port)
		}
		if err := checkTimeout("port", c.Timeout); err != nil {
			return err
		}
	}
	if c := p.Command; c != nil {
		return checkTimeout("command", c.Timeout)
	}
	return nil
}

func checkTimeout(probe string, seconds int) error {
	if seconds < 1 || seconds > karbor.MaxProbeTimeout {
		return karbor.Errorf(karbor.Invalid, "probes.%s.timeout: %d is not between 1 and %d seconds", probe, seconds, karbor.MaxProbeTimeout)
	}
	return nil
}

// Of gives the names of the probes that are made of resources of a type.
func Of(t karbor.ResourceType, p karbor.DrillProbes) []string {
	var out []string
	add := func(name string, asked bool, types ...karbor.ResourceType) {
		if asked && (len(types) == 0 || slices.Contains(types, t)) {
			out = append(out, name)
		}
	}
	add(ActiveProbe, p.Active != nil, karbor.ServerType, karbor.VolumeType, karbor.ImageType)
	add(VolumeProbe, p.Volume != nil, karbor.VolumeType)
	add(ConsoleProbe, p.Console != nil, karbor.ServerType)
	add(CommandProbe, p.Command != nil, karbor.ServerType)
	add(PortProbe, p.Port != nil, karbor.ServerType)
	return out
}

// seconds gives a time-out for people.
func seconds(n int) string { return fmt.Sprintf("%d s", n) }
