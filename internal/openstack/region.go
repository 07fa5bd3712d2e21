package openstack

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/karbor/karbor"
)

// identityType is the type of Keystone itself, whose endpoint may stand in any region.
const identityType = "identity"

// InRegion looks whether the cloud of a session has any service in the session's region: else it is
// mistyped, and nothing could be done there, nor undone. The error is karbor.Invalid then, and names the regions that
// there are. A session without a region is in whichever comes first.
func InRegion(ctx context.Context, c karbor.Cloud) error {
	s, err := sessionOf(c)
	if err != nil || s.site.region == "" {
		return err
	}
	list, err := s.catalog(ctx)
	if err != nil {
		return explain(err, "looking for the services in region %q", s.site.region)
	}
	there := list.regions(s.site.iface)
	if slices.Contains(there, s.site.region) {
		return nil
	}
	return karbor.Errorf(karbor.Invalid, "the cloud has no services in a region %q%s", s.site.region, enumerated(there))
}

// regions gives the names and the ids of the regions with an endpoint of the interface.
func (c catalog) regions(iface string) []string {
	var out []string
	for _, s := range c {
		if s.Type == identityType {
			continue
		}
		for _, e := range s.Endpoints {
			if e.Interface == iface {
				out = append(out, e.Region, e.RegionID)
			}
		}
	}
	slices.Sort(out)
	return slices.DeleteFunc(slices.Compact(out), func(name string) bool { return name == "" })
}

// enumerated lists regions for a tenant. The names are another cloud's, which may be hostile.
func enumerated(regions []string) string {
	const most, longest = 10, 64
	if len(regions) == 0 {
		return ""
	}
	more := ""
	if len(regions) > most {
		regions, more = regions[:most], " and others"
	}
	var names []string
	for _, name := range regions {
		if runes := []rune(name); len(runes) > longest {
			name = string(runes[:longest]) + "…"
		}
		names = append(names, strconv.Quote(name))
	}
	return ", but in " + strings.Join(names, ", ") + more
}
