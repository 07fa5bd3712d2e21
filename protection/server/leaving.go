package server

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/openstack"
	"github.com/karbor/karbor/protection"
)

// leaving tells apart, in an undo, what only the restored server had from what the tenant uses elsewhere by now:
// he may have moved an interface or an address to another server of his. That stays, and is told.
type leaving struct {
	call *protection.Call
	// servers are those that the restore made. They are gone.
	servers []string
	// stays says what stays, and why; groups are the security groups that stay with it.
	stays, groups []string
}

// ports gives those that can go.
func (l *leaving) ports(ctx context.Context, compute api, made []labelled) (free []labelled, err error) {
	for _, p := range made {
		by, err := l.usedBy(ctx, compute, p)
		if err != nil {
			return nil, err
		}
		if by == "" {
			free = append(free, p)
			continue
		}
		l.stays = append(l.stays, fmt.Sprintf("port %s, as %s has it", p.ID, by))
		l.groups = append(l.groups, p.SecurityGroups...)
	}
	return free, nil
}

// usedBy names what has a port that is not of the restore, or gives "".
func (l *leaving) usedBy(ctx context.Context, compute api, p labelled) (string, error) {
	switch {
	case p.DeviceID == "" || slices.Contains(l.servers, p.DeviceID):
		return "", nil
	case !strings.HasPrefix(p.DeviceOwner, "compute:"):
		return "device " + p.DeviceID, nil
	}
	// Nova does not always tell Neutron of a server that is gone.
	var i instance
	err := compute.get(ctx, "servers/"+p.DeviceID, nil, "server", &i)
	if openstack.IsNotFound(err) {
		return "", nil
	}
	return "server " + p.DeviceID, openstack.Explain(err, "reading server %s, which has port %s", p.DeviceID, p.ID)
}

// addresses gives those floating addresses that can go: the ports that can, or none, have them.
func (l *leaving) addresses(made, free []labelled) []labelled {
	return slices.DeleteFunc(slices.Clone(made), func(f labelled) bool {
		own := f.PortID == "" || slices.ContainsFunc(free, func(p labelled) bool { return p.ID == f.PortID })
		if !own {
			l.stays = append(l.stays, fmt.Sprintf("floating address %s, as port %s has it", f.ID, f.PortID))
		}
		return !own
	})
}

// told gives an error where something stays.
func (l *leaving) told() error {
	if len(l.stays) == 0 {
		return nil
	}
	return karbor.Errorf(karbor.Conflict, "what was made for server %s is left where something else uses it by now: %s; it is removed when you have taken it off there",
		l.call.Node.ID, strings.Join(l.stays, "; "))
}
