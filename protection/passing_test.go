package protection_test

import (
	"testing"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/protection"
)

func TestWhatKarborHasForAWhileIsKnownByItsNameAndItsMetadata(t *testing.T) {
	g := &karbor.Graph{}
	call := &protection.Call{Owner: karbor.NewID(), Installation: "here", Node: g.Add(karbor.Resource{Type: karbor.ImageType, ID: karbor.NewID()}, "a-server")}
	drill := *call
	drill.Drill = true
	for name, c := range map[string]struct {
		name            string
		metadata        map[string]string
		byName, passing bool
	}{
		"temporary":                   {call.Name(), call.TemporaryTags(), true, true},
		"of a drill":                  {"karbor-drill-" + call.Owner[:8] + "-disk", drill.Tags(), false, true},
		"read by a drill":             {"karbor-drill-" + call.Owner + "-" + call.Node.ID, nil, true, false},
		"restored":                    {"disk", call.Tags(), false, false},
		"being restored":              {"disk", call.RestoringTags(), false, false},
		"a copy with its metadata":    {"disk-2", call.TemporaryTags(), false, false},
		"named karbor":                {"karbor-drill-notes", nil, false, false},
		"named by an id and no more":  {protection.OwnerMark(call.Owner), nil, false, false},
		"named by an id and a dash":   {protection.OwnerMark(call.Owner) + "-", nil, false, false},
		"named by what only looks so": {"karbor-0123456789abcdef0123456789abcdef0123-x", nil, false, false},
		"":                            {"", nil, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := protection.PassingName(c.name); got != c.byName {
				t.Errorf("by its name %q: %t", c.name, got)
			}
			if got := protection.Passing(c.name, c.metadata); got != c.passing {
				t.Errorf("with the metadata %v: %t", c.metadata, got)
			}
		})
	}
}

func TestWhatADrillMakesInNeutronIsKnown(t *testing.T) {
	id := karbor.NewID()
	text := protection.DrillText(id, "here", "network for x: (y)")
	if got, installation, ok := protection.CutDrillText(text); got != id || installation != "here" || !ok {
		t.Errorf("got %q, %q, %t", got, installation, ok)
	}
	for name, c := range map[string]struct {
		description       string
		tags              []string
		drill, unfinished bool
	}{
		"described":     {text, nil, true, false},
		"tagged":        {"mine", []string{"a", protection.DrillMark("here")}, true, false},
		"being made":    {protection.RestoringMark("here") + " " + protection.OwnerMark(id) + "-x", nil, false, true},
		"made, unknown": {protection.OwnerMark(id) + "-x", nil, false, true},
		"a tenant's":    {"karbor drill of monday", []string{"karbor"}, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := protection.MadeByDrill(c.description, c.tags); got != c.drill {
				t.Errorf("of a drill: %t", got)
			}
			if got := protection.Unfinished(c.description); got != c.unfinished {
				t.Errorf("unfinished: %t", got)
			}
		})
	}
}
