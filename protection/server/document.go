package server

// documentKey is the key of the document about the server.
const documentKey = "metadata"

// document is what is kept of a server. It lies in the bank: members are only ever
// added. Members that Nova or Neutron have too have their names and meaning.
type document struct {
	Name string `json:"name"`
	// Status is the state that the server was in; "" in older documents.
	Status      string `json:"status,omitempty"`
	Description string `json:"description"`
	// Hostname is "" if nobody could read it.
	Hostname         string            `json:"hostname,omitempty"`
	AvailabilityZone string            `json:"availability_zone"`
	Flavor           flavor            `json:"flavor"`
	Metadata         map[string]string `json:"metadata"`
	Tags             []string          `json:"tags"`
	KeyName          string            `json:"key_name"`
	PublicKey        string            `json:"public_key"`
	KeyType          string            `json:"key_type"`
	ConfigDrive      bool              `json:"config_drive"`
	DiskConfig       string            `json:"disk_config"`
	Locked           bool              `json:"locked"`
	AccessIPv4       string            `json:"accessIPv4"`
	AccessIPv6       string            `json:"accessIPv6"`
	// UserData is in base64. UserDataKnown is false if nobody could read it.
	UserData      string `json:"user_data"`
	UserDataKnown bool   `json:"user_data_known"`
	// Image is the image that the server boots from, or "" if it boots from the
	// volume of Volumes with boot index 0.
	Image        string        `json:"image"`
	ServerGroups []serverGroup `json:"server_groups"`
	Ports        []port        `json:"ports"`
	FloatingIPs  []floatingIP  `json:"floating_ips"`
	Volumes      []attachment  `json:"volumes"`
	// BootVolumeGuessed says that nobody could tell which volume it boots from.
	BootVolumeGuessed bool `json:"boot_volume_guessed,omitempty"`
	// SecurityGroups are the project's groups that the ports are in, and those
	// that their rules refer to.
	SecurityGroups []securityGroup `json:"security_groups,omitempty"`
}

// flavor is what a flavor gives a server. Of a server that was imported from an older
// layout only its id is known: then it has no VCPUs.
type flavor struct {
	ID         string            `json:"id"`
	Name       string            `json:"name"`
	VCPUs      int               `json:"vcpus"`
	RAM        int               `json:"ram"`  // MiB
	Disk       int               `json:"disk"` // GiB
	Ephemeral  int               `json:"ephemeral"`
	Swap       int               `json:"swap"` // MiB
	ExtraSpecs map[string]string `json:"extra_specs"`
}

type serverGroup struct {
	ID     string `json:"id"`
	Name   string `json:"name"`
	Policy string `json:"policy"`
}

type port struct {
	ID                  string        `json:"id"`
	Name                string        `json:"name"`
	Description         string        `json:"description"`
	Tags                []string      `json:"tags"`
	NetworkID           string        `json:"network_id"`
	MACAddress          string        `json:"mac_address"`
	AdminStateUp        bool          `json:"admin_state_up"`
	FixedIPs            []fixedIP     `json:"fixed_ips"`
	SecurityGroups      []string      `json:"security_groups"`
	AllowedAddressPairs []addressPair `json:"allowed_address_pairs"`
	PortSecurity        *bool         `json:"port_security_enabled,omitempty"`
	VNICType            string        `json:"binding:vnic_type,omitempty"`
	DeviceID            string        `json:"device_id"`
	CreatedAt           string        `json:"created_at,omitempty"`
	// GroupNames are the names of the security groups, by their ids; DeviceTag
	// is what Nova calls the interface inside the guest.
	GroupNames map[string]string `json:"security_group_names,omitempty"`
	DeviceTag  string            `json:"device_tag,omitempty"`
}

type fixedIP struct {
	SubnetID  string `json:"subnet_id,omitempty"`
	IPAddress string `json:"ip_address,omitempty"`
}

type addressPair struct {
	IPAddress  string `json:"ip_address"`
	MACAddress string `json:"mac_address,omitempty"`
}

type floatingIP struct {
	ID          string   `json:"id"`
	Address     string   `json:"floating_ip_address"`
	NetworkID   string   `json:"floating_network_id"`
	PortID      *string  `json:"port_id"`
	FixedIP     *string  `json:"fixed_ip_address"`
	Description string   `json:"description"`
	Tags        []string `json:"tags"`
	NetworkName string   `json:"floating_network_name,omitempty"`
}

// securityGroup has the members that Neutron shows.
type securityGroup struct {
	ID          string         `json:"id"`
	Name        string         `json:"name"`
	Description string         `json:"description"`
	ProjectID   string         `json:"project_id"`
	Tags        []string       `json:"tags"`
	Stateful    *bool          `json:"stateful,omitempty"`
	Rules       []securityRule `json:"security_group_rules"`
}

// securityRule is a rule of a security group. ID is empty in the document.
type securityRule struct {
	ID                   string  `json:"id,omitempty"`
	Description          string  `json:"description"`
	Direction            string  `json:"direction"`
	EtherType            string  `json:"ethertype"`
	Protocol             *string `json:"protocol"`
	PortRangeMin         *int    `json:"port_range_min"`
	PortRangeMax         *int    `json:"port_range_max"`
	RemoteIPPrefix       *string `json:"remote_ip_prefix"`
	RemoteGroupID        *string `json:"remote_group_id"`
	RemoteAddressGroupID *string `json:"remote_address_group_id,omitempty"`
}

// attachment is a volume of the server. BootIndex is 0 for the volume that it
// boots from, and -1 for the others.
type attachment struct {
	VolumeID            string  `json:"volumeId"`
	Device              string  `json:"device"`
	Tag                 *string `json:"tag"`
	DeleteOnTermination bool    `json:"delete_on_termination"`
	BootIndex           int     `json:"boot_index"`
}
