package server

import (
	"context"
	"fmt"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/openstack"
)

// stopped is the state of a server that is switched off.
const stopped = "SHUTOFF"

// lastingStates are the states, but for the stopped one, that a server stays in
// until its owner changes that; a restored server runs in their place.
var lastingStates = map[string]string{
	"PAUSED": "paused", "SUSPENDED": "suspended", "RESCUE": "in rescue mode", "SHELVED": "shelved", "SHELVED_OFFLOADED": "shelved",
}

// power stops the server if the original was stopped, or if that was asked for. Nova
// has no way to make a server without starting it.
func (b *builder) power(ctx context.Context) error {
	switch b.call.Text("restore_power") {
	case "running":
		if b.doc.Status == stopped {
			b.call.Mapped("The server runs, as was asked for: the original was stopped.")
		}
		return nil
	case "stopped":
		if b.doc.Status != stopped {
			b.call.Mapped("The server is stopped, as was asked for.")
		}
	default:
		if b.doc.Status != stopped {
			return nil
		}
	}
	ctx, cancel := openstack.Within(ctx, b.room.options.Timeout)
	defer cancel()
	id, asked := b.record.Server, false
	what := fmt.Sprintf("server %s, made for server %s,", id, b.call.Node.ID)
	return openstack.Poll(ctx, what+" to stop", b.room.options.PollInterval, func(ctx context.Context) (bool, error) {
		var i instance
		if err := b.compute.get(ctx, "servers/"+id, nil, "server", &i); err != nil {
			return false, openstack.Explain(err, "reading %s", what)
		}
		switch i.Status {
		case stopped:
			return true, nil
		case "ERROR", "DELETED", "SOFT_DELETED":
			return false, karbor.Errorf(karbor.Conflict, "%s went into state %q when it was stopped", what, i.Status)
		}
		if asked {
			return false, openstack.Still("in state %q", i.Status)
		}
		asked = true
		err := b.compute.post(ctx, "servers/"+id+"/action", map[string]any{"os-stop": nil}, "", nil)
		return false, openstack.Explain(err, "stopping %s", what)
	})
}

// localDisks names the disks that a flavor gives beside the root disk. They live on
// the hypervisor, where no API reads them.
func (f flavor) localDisks() []string {
	var out []string
	if f.Ephemeral > 0 {
		out = append(out, fmt.Sprintf("ephemeral disk of %d GiB", f.Ephemeral))
	}
	if f.Swap > 0 {
		out = append(out, fmt.Sprintf("swap disk of %d MiB", f.Swap))
	}
	return out
}
