package cli

import (
	"context"
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/client"
	"github.com/karbor/karbor/internal/cli/output"
)

// requestFlags say what is restored, how, and where to.
type requestFlags struct {
	target     targetFlags
	parameters []string
	document   string
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

func (r *requestFlags) add(f *pflag.FlagSet) {
	r.target.add(f)
	f.StringArrayVar(&r.parameters, "parameters", nil, "resource_type=TYPE[,resource_id=ID],key=value,… or JSON (repeatable)")
	f.StringArrayVar(&r.parameters, "parameter", nil, "same as --parameters")
	f.StringVar(&r.document, "parameters-json", "", "parameters as JSON")
	f.StringArrayVar(&r.resources, "resource", nil, "TYPE:NAME or TYPE:ID of a resource to restore; all if none is given (repeatable)")
	f.StringVar(&r.dependents, "dependents", "", "with --resource: restore what they depend on too (the default), use the existing originals, or refuse if something is missing")
	f.StringArrayVar(&r.stages, "stage", nil, "TYPE:NAME,…[,delay=SECONDS]: put these together when those of the stage before are (repeatable)")
	f.BoolVar(&r.inPlace, "in-place", false, "overwrite the originals, after a safety checkpoint of them, instead of making new resources")
	f.StringVar(&r.profile, "profile", "", "name or id of a mapping profile, over which the mapping of the other flags goes")
	r.addMapping(f)
}

// addMapping adds the flags of the mapping alone.
func (r *requestFlags) addMapping(f *pflag.FlagSet) {
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

// request reads what of the request needs no checkpoint.
func (r *requestFlags) request(env func(string) string) (out client.RestoreRequest, err error) {
	out.Target, out.Choices.Dependents = r.target.url, karbor.DependentsChoice(r.dependents)
	if out.Parameters, err = parseParameters(r.parameters, r.document); err != nil {
		return out, err
	}
	if out.Auth, err = r.target.auth(env); err != nil {
		return out, err
	}
	out.Choices.InPlace = r.inPlace
	out.Choices.Mapping, err = r.mapped()
	return out, err
}

// of puts a checkpoint into the request, and the resources in it that the flags name.
func (r *requestFlags) of(out *client.RestoreRequest, provider string, cp client.Checkpoint) error {
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

// mapped gives the mapping that the flags say, nil for none.
func (r *requestFlags) mapped() (map[string]any, error) {
	all := map[string]any{}
	if r.mapping != "" && json.Unmarshal([]byte(r.mapping), &all) != nil {
		return nil, usagef("--mapping-json is not a JSON object")
	}
	for _, text := range r.mappings {
		word, pair, _ := strings.Cut(text, ":")
		original, other, ok := strings.Cut(pair, "=")
		member := mappedKinds[word]
		if !ok || member == "" || original == "" || other == "" {
			return nil, usagef("the mapping %q is not KIND:ORIGINAL=OTHER, such as network:*=5c2c…", text)
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
		t, name, err := splitType(text)
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
			return nil, usagef("%d resources of the checkpoint are %s %q: give one of their ids: %s", len(found), t.Word(), name, strings.Join(found, ", "))
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
			return stage, usagef("the delay %q of the stage %q is not a number of seconds", seconds, text)
		}
		stage.Delay = n
	}
	var err error
	stage.Resources, err = resourceKeys(g, resources)
	return stage, err
}

func (a *app) restoreCheck() *cobra.Command {
	var r requestFlags
	cmd := a.command("check [PROVIDER] CHECKPOINT", "Tell what a restore would come across, and restore nothing", cobra.RangeArgs(1, 2),
		func(ctx context.Context, args []string) error {
			wanted, err := r.request(a.Env)
			if err != nil {
				return err
			}
			c, err := a.connect(ctx)
			if err != nil {
				return err
			}
			provider, cp, err := a.findUsable(ctx, c, args)
			if err != nil {
				return err
			}
			if err := r.of(&wanted, provider, cp); err != nil {
				return err
			}
			if wanted.Profile, err = a.profileID(ctx, c, r.profile); err != nil {
				return err
			}
			found, err := c.Restores.Check(ctx, wanted)
			if err != nil {
				return err
			}
			if err := output.List(a.printer(), found.Findings, "severity", "resource", "message", "remedy"); err != nil {
				return err
			}
			if !found.Ready {
				return karbor.Errorf(karbor.Conflict, "the restore would fail")
			}
			return nil
		})
	r.add(cmd.Flags())
	return cmd
}
