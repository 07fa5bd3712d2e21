package karbor

import "strings"

// ResourceType is the type of a resource, as the wire contract names it.
type ResourceType string

// The resource types of the wire contract.
const (
	ProjectType  ResourceType = "OS::Keystone::Project"
	ServerType   ResourceType = "OS::Nova::Server"
	VolumeType   ResourceType = "OS::Cinder::Volume"
	ImageType    ResourceType = "OS::Glance::Image"
	ShareType    ResourceType = "OS::Manila::Share"
	NetworkType  ResourceType = "OS::Neutron::Network"
	DatabaseType ResourceType = "OS::Trove::Instance"
	PodType      ResourceType = "OS::Kubernetes::Pod"
)

// typeWords gives each type a short word. The words are part of the keys in a
// bank (docs/format): they never change.
var typeWords = map[ResourceType]string{
	ProjectType:  "project",
	ServerType:   "server",
	VolumeType:   "volume",
	ImageType:    "image",
	ShareType:    "share",
	NetworkType:  "network",
	DatabaseType: "database",
	PodType:      "pod",
}

// ResourceTypes lists every known type, parents before children.
func ResourceTypes() []ResourceType {
	return []ResourceType{
		ProjectType, ServerType, VolumeType, ImageType,
		ShareType, NetworkType, DatabaseType, PodType,
	}
}

// Known reports whether t is a type of the wire contract.
func (t ResourceType) Known() bool { return typeWords[t] != "" }

// Word gives the short word of the type, such as "volume", or "" for an
// unknown type.
func (t ResourceType) Word() string { return typeWords[t] }

// Resource is a thing in the cloud, as a plan lists it and a protectable
// plug-in finds it.
type Resource struct {
	Type ResourceType `json:"type"`
	ID   string       `json:"id"`
	Name string       `json:"name"`
	// ExtraInfo is what a plug-in or a tenant adds: an availability zone, say.
	ExtraInfo map[string]string `json:"extra_info,omitempty"`
}

// Key is how resources_status and parameters name a resource: TYPE#id.
func (r Resource) Key() string { return string(r.Type) + "#" + r.ID }

// ParameterType gives the type that a key of Parameters speaks of: the key is a
// known type, or one with "#" and a resource's id behind it. Anything else is
// Invalid.
func ParameterType(key string) (ResourceType, error) {
	name, id, specific := strings.Cut(key, "#")
	t := ResourceType(name)
	if !t.Known() {
		return "", Errorf(Invalid, "parameters: %q does not begin with a known resource type", key)
	}
	if specific && !IsResourceID(id) {
		return "", Errorf(Invalid, "parameters: %q does not end in a resource's id", key)
	}
	return t, nil
}
