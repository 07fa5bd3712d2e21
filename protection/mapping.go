package protection

// Anything is the original that stands, in a mapping, for all that it does not name.
const Anything = "*"

// Kinds of what a restore can put something else in the place of. The restore schema
// of a plug-in that can has the member "restore_" and the kind: an object from
// originals' ids or names, or Anything, to what to take.
const (
	MapNetworks       = "networks"
	MapSubnets        = "subnets"
	MapSecurityGroups = "security_groups"
	MapFlavors        = "flavors"
	MapKeypairs       = "keypairs"
	MapZones          = "availability_zones"
	MapVolumeTypes    = "volume_types"
)

// RestorePrefix is what the names of restore parameters begin with.
const RestorePrefix = "restore_"

// Instead gives what a restore was asked to take in the place of an original of a
// kind, which its id and its names stand for, or "".
func (c *Call) Instead(kind string, original ...string) string {
	mapping, _ := c.Parameters[RestorePrefix+kind].(map[string]any)
	for _, name := range append(original, Anything) {
		if other, _ := mapping[name].(string); other != "" && name != "" {
			return other
		}
	}
	return ""
}

// RestoredName gives the name of what takes the place of a thing of this name: the
// parameter restore_name, or the name behind the parameter restore_name_prefix.
func (c *Call) RestoredName(original string) string {
	const longest = 255
	if asked := c.Text("restore_name"); asked != "" {
		return asked
	}
	name := c.Text("restore_name_prefix") + original
	for len(name) > longest { // a rune at a time
		runes := []rune(name)
		name = string(runes[:len(runes)-1])
	}
	return name
}
