package server

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/openstack"
	"github.com/karbor/karbor/protection"
)

// undoRestore is the Undo hook of restore: it removes what this restore made.
func (r *room) undoRestore(ctx context.Context, call *protection.Call) error {
	var record restoreRecord
	if err := call.Scratch.Load(ctx, &record); err != nil {
		return err
	}
	c, err := connect(ctx, call)
	if err != nil {
		return err
	}
	var doc document
	if err := call.Documents.GetJSON(ctx, documentKey, &doc); err != nil {
		if karbor.KindOf(err) == karbor.NotFound {
			return r.undoBlind(ctx, c, call, record)
		}
		return err
	}
	servers, err := r.removeServers(ctx, c, call, record)
	if err != nil {
		return err
	}
	var ports []labelled
	for _, p := range doc.Ports {
		made, err := findMade(ctx, c.network, "ports", call, p.ID)
		if err != nil {
			return err
		}
		ports = append(ports, made...)
	}
	l := leaving{call: call, servers: servers}
	if ports, err = l.ports(ctx, c.compute, ports); err != nil {
		return err
	}
	for _, f := range doc.FloatingIPs {
		made, err := findMade(ctx, c.network, "floatingips", call, f.ID)
		if err != nil {
			return err
		}
		for _, m := range l.addresses(made, ports) {
			if err := c.network.remove(ctx, "floatingips/"+m.ID); err != nil {
				return openstack.Explain(err, "releasing floating address %s", m.ID)
			}
		}
	}
	for _, p := range ports {
		if err := c.network.remove(ctx, "ports/"+p.ID); err != nil {
			return openstack.Explain(err, "deleting port %s", p.ID)
		}
	}
	if err := removeGroups(ctx, c.network, call, doc.SecurityGroups, l.groups); err != nil {
		return err
	}
	if err := removeKeypair(ctx, c.compute, record.Keypair, doc.PublicKey); err != nil {
		return err
	}
	return l.told()
}

// undoBlind removes what this restore made where its document is not there any more: the server,
// and the ports that are its own, or nobody's yet. Whether a keypair is its own nobody knows then.
func (r *room) undoBlind(ctx context.Context, c clients, call *protection.Call, record restoreRecord) error {
	servers, err := r.removeServers(ctx, c, call, record)
	if err != nil {
		return err
	}
	var ports []labelled
	there, err := all[labelled](ctx, c.network, "ports", nil)
	if err != nil {
		return openstack.Explain(err, "looking for the ports made for server %s", call.Node.ID)
	}
	owner := protection.OwnerMark(call.Owner)
	for _, p := range there {
		ours := slices.Contains(p.Tags, owner) ||
			slices.ContainsFunc(call.RestoringTexts(owner+"-"), func(mark string) bool { return strings.HasPrefix(p.Description, mark) })
		if ours && (p.DeviceID == "" || slices.Contains(servers, p.DeviceID)) {
			ports = append(ports, p)
		}
	}
	for _, p := range ports {
		if err := c.network.remove(ctx, "ports/"+p.ID); err != nil {
			return openstack.Explain(err, "deleting port %s", p.ID)
		}
	}
	if record.Keypair != "" {
		return karbor.Errorf(karbor.FailedDependency,
			"what is known of server %s is not there any more: keypair %q is left, if the restore made it", call.Node.ID, record.Keypair)
	}
	return nil
}

// removeKeypair deletes the keypair that this restore imported. One with another key
// is the user's: he has made it meanwhile.
func removeKeypair(ctx context.Context, compute api, name, publicKey string) error {
	if name == "" {
		return nil
	}
	var key struct {
		PublicKey string `json:"public_key"`
	}
	err := compute.get(ctx, "os-keypairs/"+url.PathEscape(name), nil, "keypair", &key)
	if openstack.IsNotFound(err) || err == nil && key.PublicKey != publicKey {
		return nil
	}
	if err != nil {
		return openstack.Explain(err, "reading keypair %q", name)
	}
	return openstack.Explain(compute.remove(ctx, "os-keypairs/"+url.PathEscape(name)), "deleting keypair %q", name)
}

// removeServers deletes the servers that this restore made, the recorded one and those with its tags, and gives
// their ids. One that has a port of the restore's is none of them for that: its tenant may have moved the port there.
func (r *room) removeServers(ctx context.Context, c clients, call *protection.Call, record restoreRecord) ([]string, error) {
	ids, err := findServers(ctx, c.compute, call)
	if err != nil {
		return nil, err
	}
	if record.Server != "" && !slices.Contains(ids, record.Server) {
		ids = append(ids, record.Server)
	}
	for _, id := range ids {
		if err := r.removeServer(ctx, c.compute, call, id); err != nil {
			return nil, err
		}
	}
	return ids, nil
}

// removeServer deletes a server and waits until it is gone: its volumes and
// networks can't be deleted before.
func (r *room) removeServer(ctx context.Context, compute api, call *protection.Call, id string) error {
	ctx, cancel := openstack.Within(ctx, r.options.Timeout)
	defer cancel()
	what := fmt.Sprintf("server %s, made for server %s", id, call.Node.ID)
	asked := false
	return openstack.Poll(ctx, what+" to be deleted", r.options.PollInterval, func(ctx context.Context) (bool, error) {
		if !asked {
			if err := compute.remove(ctx, "servers/"+id); err != nil {
				return false, openstack.Explain(err, "deleting %s", what)
			}
			asked = true
		}
		var i instance
		err := compute.get(ctx, "servers/"+id, nil, "server", &i)
		if openstack.IsNotFound(err) {
			return true, nil
		}
		if err != nil {
			return false, openstack.Explain(err, "reading %s", what)
		}
		if i.Status == "ERROR" {
			asked = false // the deletion failed: ask again
		}
		if i.Status == "DELETED" {
			return true, nil
		}
		return false, openstack.Still("in state %q", i.Status)
	})
}
