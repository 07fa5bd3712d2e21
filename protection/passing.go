package protection

import (
	"slices"
	"strings"

	"github.com/karbor/karbor"
)

// Passing reports whether a volume or an image of this name and metadata is one of Karbor's own, which
// goes before the operation ends that has made it: no plan is to have it. The metadata alone do not say so:
// the cloud's own services copy it to what is made of such a thing, and that has another name.
func Passing(name string, metadata map[string]string) bool {
	return (metadata[TemporaryTag] != "" || metadata[DrillTag] != "") && strings.HasPrefix(name, OwnerMark(""))
}

// PassingName reports whether a name is of the form that Call.Name gives, or of that which a drill gives
// to what it reads a volume through. By it alone an image is known whose upload could not tag it.
func PassingName(name string) bool {
	rest, own := strings.CutPrefix(name, OwnerMark(""))
	rest = strings.TrimPrefix(rest, "drill-")
	return own && len(rest) > idLength+1 && rest[idLength] == '-' && karbor.IsUUID(rest[:idLength])
}

// drillPrefix begins the DrillMark.
const drillPrefix = "karbor-drill-"

// MadeByDrill reports whether what has tags that are bare words, and a description, is what a restore drill
// has made. Neutron has no call that makes a thing and tags it: until it is tagged, its description says so.
func MadeByDrill(description string, tags []string) bool {
	_, _, described := CutDrillText(description)
	return described || slices.ContainsFunc(tags, func(tag string) bool { return strings.HasPrefix(tag, drillPrefix) })
}

// Unfinished reports whether a description is one that stands in the place of the thing's own as long as a
// restore is not done with it: a RestoringText, or what that is where nobody looks for what is left.
func Unfinished(description string) bool {
	_, _, marked := CutRestoring(description)
	return marked || PassingName(description)
}

// DrillText is the description of what a restore drill makes in Neutron, for a key that tells its things
// apart. It says whose it is, too: see CutDrillText.
func DrillText(id, installation, key string) string {
	return DrillTextPrefix(id) + key + " (" + installation + ")"
}

// drillText begins each DrillText.
const drillText = "karbor drill "

// DrillTextPrefix begins the DrillTexts of one drill.
func DrillTextPrefix(id string) string { return drillText + id + ": " }

// CutDrillText takes a DrillText apart: the id of the drill, and the name of its Karbor. ok is false for
// any other text.
func CutDrillText(description string) (id, installation string, ok bool) {
	rest, ok := strings.CutPrefix(description, drillText)
	id, rest, found := strings.Cut(rest, ": ")
	i := strings.LastIndex(rest, " (")
	if !ok || !found || i < 0 || !strings.HasSuffix(rest, ")") || !karbor.IsUUID(id) {
		return "", "", false
	}
	installation = rest[i+len(" (") : len(rest)-1]
	return id, installation, installation != ""
}
