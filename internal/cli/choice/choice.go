// Package choice reads what of a checkpoint is restored, how, and where to.
package choice

import (
	"context"
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/pflag"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/client"
	"github.com/karbor/karbor/internal/cli/argument"
	"github.com/karbor/karbor/internal/cli/exit"
	"github.com/karbor/karbor/internal/cli/lookup"
)

// Flags say what is restored, how, and where to.
type Flags struct {
	target     targetFlags
	parameters argument.ParameterFlags
	resources  []string
	dependents string
	mappings   []string
	mapping    string
	stages     []string
	inPlace    bool
	profile    string
	plain      map[string]*string
}

// mappedKinds are the words for what --map maps, with the API's for them.
var mappedKinds = map[string]string{
	"network": "networks", "subnet": "subnets", "security-group": "security_groups", "flavor": "flavors",
	"keypair": "keypairs", "zone": "availability_zones", "volume-type": "volume_types",
}

// Add adds the flags.
func (r *Flags) Add(f *pflag.FlagSet) {
	r.target.add(f)
	r.parameters.Add(f)
	f.StringArrayVar(&r.resources, "resource", nil, "TYPE:NAME or TYPE:ID of a resource to restore; all if none is given (repeatable)")
	f.StringVar(&r.dependents, "dependents", "", "with --resource: restore what they depend on too (the default), use the existing originals, or refuse if something is missing")
	f.StringArrayVar(&r.stages, "stage", nil, "TYPE:NAME,…[,delay=SECONDS]: put these together when those of the stage before are (repeatable)")
	f.BoolVar(&r.inPlace, "in-place", false, "overwrite the originals, after a safety checkpoint of them, instead of making new resources")
	f.StringVar(&r.profile, "profile", "", "name or id of a mapping profile, over which the mapping of the other flags goes")
	r.AddMapping(f)
}

// AddDrill adds the flags of a drill.
func (r *Flags) AddDrill(f *pflag.FlagSet) {
	f.StringArrayVar(&r.resources, "resource", nil, "TYPE:NAME or TYPE:ID of a resource to restore, with what it needs; all if none is given (repeatable)")
	f.StringArrayVar(&r.mappings, "map", nil, "KIND:ORIGINAL=OTHER, * for all originals; KIND is flavor, keypair, zone or volume-type (repeatable)")
}

// AddMapping adds the flags of the mapping alone.
func (r *Flags) AddMapping(f *pflag.FlagSet) {
	f.StringArrayVar(&r.mappings, "map", nil, "KIND:ORIGINAL=OTHER, * for all originals; KIND is network, subnet, security-group, flavor, keypair, zone or volume-type (repeatable)")
	f.StringVar(&r.mapping, "mapping-json", "", "the mapping as JSON")
	r.plain = map[string]*string{}
	for _, flag := range []struct{ name, member, usage string }{
		{"name-prefix", "name_prefix", "what goes before the names of all that is made"},
		{"addresses", "addresses", "keep or renew fixed addresses"},
		{"hardware-addresses", "hardware_addresses", "keep or renew hardware addresses"},
		{"floating-ips", "floating_ips", "keep, renew or none"},
		{"power", "power", "original, running or stopped"},
	} {
		value := new(string)
		r.plain[flag.member] = value
		f.StringVar(value, flag.name, "", flag.usage)
	}
}

// Request reads what of the request needs no checkpoint. env gives a variable of the
// environment.
func (r *Flags) Request(env func(string) string) (out client.RestoreRequest, err error) {
	out.Target, out.Choices.Dependents = r.target.url, karbor.DependentsChoice(r.dependents)
	if out.Parameters, err = r.parameters.Read(); err != nil {
		return out, err
	}
	if out.Auth, err = r.target.auth(env); err != nil {
		return out, err
	}
	out.Choices.InPlace = r.inPlace
	out.Choices.Mapping, err = r.Mapped()
	return out, err
}

// Of puts a checkpoint into the request, and the resources in it that the flags name.
func (r *Flags) Of(out *client.RestoreRequest, provider string, cp client.Checkpoint) error {
	out.ProviderID, out.CheckpointID = provider, cp.ID
	g, err := cp.Graph()
	if err != nil {
		return err
	}
	if out.Choices.Resources, err = resourceKeys(g, r.resources); err != nil {
		return err
	}
	for _, text := range r.stages {
		stage, err := parseStage(g, text)
		if err != nil {
			return err
		}
		out.Choices.Stages = append(out.Choices.Stages, stage)
	}
	return nil
}

// Whole gives the whole request: what Request reads, the checkpoint of [PROVIDER]
// CHECKPOINT, and the mapping profile.
func (r *Flags) Whole(ctx context.Context, c *client.Client, out *client.RestoreRequest, args []string) error {
	provider, cp, err := lookup.Usable(ctx, c, args)
	if err != nil {
		return err
	}
	if err := r.Of(out, provider, cp); err != nil {
		return err
	}
	if r.profile == "" {
		return nil
	}
	p, err := lookup.MappingProfile(ctx, c, r.profile)
	out.Profile = p.ID
	return err
}

// Mapped gives the mapping that the flags say, nil for none.
func (r *Flags) Mapped() (map[string]any, error) {
	all := map[string]any{}
	if r.mapping != "" && json.Unmarshal([]byte(r.mapping), &all) != nil {
		return nil, exit.Usagef("--mapping-json is not a JSON object")
	}
	for _, text := range r.mappings {
		word, pair, _ := strings.Cut(text, ":")
		original, other, ok := strings.Cut(pair, "=")
		member := mappedKinds[word]
		if !ok || member == "" || original == "" || other == "" {
			return nil, exit.Usagef("the mapping %q is not KIND:ORIGINAL=OTHER, such as network:*=5c2c…", text)
		}
		some, _ := all[member].(map[string]any)
		if some == nil {
			some = map[string]any{}
		}
		some[original] = other
		all[member] = some
	}
	for member, value := range r.plain {
		if *value != "" {
			all[member] = *value
		}
	}
	return all, nil
}

// resourceKeys gives the keys of resources of a checkpoint, each named TYPE:NAME or
// TYPE:ID.
func resourceKeys(g *karbor.Graph, texts []string) ([]string, error) {
	var keys []string
	for _, text := range texts {
		t, name, err := argument.SplitType(text)
		if err != nil {
			return nil, err
		}
		var found []string
		if g != nil {
			for _, n := range g.Nodes() {
				if n.Type != t || n.ID != name && n.Name != name {
					continue
				}
				if key := n.Resource.Key(); !slices.Contains(found, key) {
					found = append(found, key)
				}
			}
		}
		switch len(found) {
		case 0:
			return nil, karbor.Errorf(karbor.NotFound, "there is no %s %q in the checkpoint", t.Word(), name)
		case 1:
			keys = append(keys, found[0])
		default:
			return nil, exit.Usagef("%d resources of the checkpoint are %s %q: give one of their ids: %s", len(found), t.Word(), name, strings.Join(found, ", "))
		}
	}
	return keys, nil
}

// parseStage reads a stage: TYPE:NAME,…[,delay=SECONDS].
func parseStage(g *karbor.Graph, text string) (karbor.RestoreStage, error) {
	var stage karbor.RestoreStage
	var resources []string
	for part := range strings.SplitSeq(text, ",") {
		seconds, isDelay := strings.CutPrefix(part, "delay=")
		if !isDelay {
			resources = append(resources, part)
			continue
		}
		n, err := strconv.ParseInt(seconds, 10, 64)
		if err != nil || n < 0 {
			return stage, exit.Usagef("the delay %q of the stage %q is not a number of seconds", seconds, text)
		}
		stage.Delay = n
	}
	var err error
	stage.Resources, err = resourceKeys(g, resources)
	return stage, err
}
