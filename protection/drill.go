package protection

import "context"

// Drilled is what a plug-in says of a resource for a restore drill.
type Drilled struct {
	// Networks are those that what is restored would be joined to: a drill has networks of its
	// own, whose ids it gives as the new ones of these (NewResources.Part).
	Networks []DrillNetwork
	// Content describes the bytes that a restored volume must have; nil where nothing is known
	// of them.
	Content *Content
}

// DrillNetwork is a network of an original's.
type DrillNetwork struct {
	ID, Name string
	Subnets  []DrillSubnet
	// Groups are the ids of the security groups that interfaces on it are in.
	Groups []string
	// Open says that an interface on it has no port security, so that no security group holds
	// back what it sends.
	Open bool
}

// DrillSubnet is a subnet of an original's. What is not known of it is empty.
type DrillSubnet struct {
	ID, CIDR, Gateway string
	// Addresses are those that are used on it.
	Addresses []string
	// NoDHCP says that it had no DHCP.
	NoDHCP bool
}

// Content is what is known of protected bytes.
type Content struct {
	// Size is in bytes.
	Size int64
	// Algorithm is that of Digest, as Glance names them (sha512, sha256, md5); Digest is in
	// lower-case hexadecimal.
	Algorithm, Digest string
}

// DrilledAlone is the Drill hook of what is restored without any network, and of whose bytes
// nothing is known.
func DrilledAlone(context.Context, *Call) (Drilled, error) { return Drilled{}, nil }
