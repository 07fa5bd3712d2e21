package protection

import (
	"strings"

	"github.com/karbor/karbor"
)

// Name is the deterministic name of what the call's hooks create for its node
// only for a while: "karbor-", Owner, "-", the resource's id, and "-" and the
// role for a node that has one. Two runs of a hook make the same one, two nodes
// or two operations never do. It has at most 255 bytes for ids that are UUIDs.
func (c *Call) Name() string {
	name := OwnerMark(c.Owner) + "-" + c.Node.ID
	if c.Node.Role != "" {
		name += "-" + c.Node.Role
	}
	return name
}

// OwnerMark is the tag, where a service has tags that are bare words, of what
// an operation creates: "karbor-" and the owner. It has 43 bytes: Neutron's and
// Nova's tags have at most 60.
func OwnerMark(owner string) string { return "karbor-" + owner }

// Tags are the metadata that tag what the call's hooks create for its node. The
// resource of a node in a role is named "id@role", as in the node's key. In a drill, they are
// the TemporaryTags, and DrillTag.
func (c *Call) Tags() map[string]string {
	if c.Drill {
		tags := c.TemporaryTags()
		tags[DrillTag] = "true"
		return tags
	}
	return c.ownTags()
}

// RestoringTags are the Tags of what a restore begins to make, with the RestoringTag. What has
// them when all that knows of the restore is lost was never finished. A hook that is done with a thing
// leaves it with the Tags alone; so does one that finds the thing of a process that has died.
func (c *Call) RestoringTags() map[string]string {
	tags := c.Tags()
	if !c.Drill && c.Installation != "" {
		tags[RestoringTag] = c.Installation
	}
	return tags
}

// RestoringMark is the RestoringTag, where a service has tags that are bare words; "" where nobody
// looks for what is left.
func RestoringMark(installation string) string {
	if installation == "" {
		return ""
	}
	return restoringPrefix + installation
}

// restoringPrefix begins the RestoringMark.
const restoringPrefix = "karbor-restoring-"

// RestoringText is a name or a description that a thing has in the place of its own as long as a
// restore is not done with it, where a service can't make a thing and tag it in one request: the
// RestoringMark, a space, and text, which tells the thing apart and begins with the OwnerMark. In a
// drill, and where nobody looks for what is left, it is text.
func (c *Call) RestoringText(text string) string {
	if c.Drill || c.Installation == "" {
		return text
	}
	return RestoringMark(c.Installation) + " " + text
}

// RestoringTexts are the RestoringText of a thing that a restore is not done with, and, where that differs, text alone:
// what releases before the mark gave it. By all of them a thing is found again.
func (c *Call) RestoringTexts(text string) []string {
	if marked := c.RestoringText(text); marked != text {
		return []string{marked, text}
	}
	return []string{text}
}

// CutRestoring takes a RestoringText apart: the name of the Karbor, and the id of the restore. ok is
// false for any other text.
func CutRestoring(text string) (installation, owner string, ok bool) {
	rest, marked := strings.CutPrefix(text, restoringPrefix)
	installation, rest, named := strings.Cut(rest, " "+OwnerMark(""))
	if !marked || !named || installation == "" || strings.Contains(installation, " ") || len(rest) <= idLength || rest[idLength] != '-' {
		return "", "", false
	}
	owner = rest[:idLength]
	return installation, owner, karbor.IsUUID(owner)
}

// idLength is the length of an id that is a UUID.
const idLength = 36

// Described gives a description without a RestoringText: that of a thing which was protected while
// another restore was at it.
func Described(description string) string {
	if _, _, unfinished := CutRestoring(description); unfinished {
		return ""
	}
	return description
}

// ownTags are those by which a thing is found again.
func (c *Call) ownTags() map[string]string {
	resource := c.Node.ID
	if c.Node.Role != "" {
		resource += "@" + c.Node.Role
	}
	return map[string]string{CheckpointTag: c.Owner, ResourceTag: resource}
}

// DrillMark is the tag, where a service has tags that are bare words, of what the restore drills
// of a Karbor make, beside OwnerMark; "" where nobody looks for what is left.
func DrillMark(installation string) string {
	if installation == "" {
		return ""
	}
	return drillPrefix + installation
}

// TemporaryTags are the Tags of what goes before the operation ends, however it ends:
// beside them, whose it is. Should all that knows of it be lost, the service may remove
// it by them; so nothing that a checkpoint keeps, or that a restore is to leave, has them.
func (c *Call) TemporaryTags() map[string]string {
	tags := c.ownTags()
	if c.Installation != "" {
		tags[TemporaryTag] = c.Installation
		tags[ProviderTag] = c.ProviderID
	}
	return tags
}

// Tagged reports whether metadata holds the tags of this call's node.
func (c *Call) Tagged(metadata map[string]string) bool {
	for k, v := range c.ownTags() {
		if metadata[k] != v {
			return false
		}
	}
	return true
}

// Untagged gives metadata without the members that are Karbor's own tags: those
// of a resource that an earlier restore made do not belong to it.
func Untagged(metadata map[string]string) map[string]string {
	out := make(map[string]string, len(metadata))
	for k, v := range metadata {
		if !strings.HasPrefix(k, "karbor_") {
			out[k] = v
		}
	}
	return out
}

// Text gives the parameter of a name as text, or "" if it is not set.
func (c *Call) Text(name string) string {
	text, _ := c.Parameters[name].(string)
	return text
}

// First gives the first text that is not empty: a parameter, say, or the
// original's value.
func First(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}
