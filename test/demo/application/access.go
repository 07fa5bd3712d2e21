package application

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
)

func (c *Cloud) createAccess(ctx context.Context, app *Application) error {
	g, err := create(ctx, c.network, "security-groups", "security_group", map[string]any{
		"name": app.Name + group, "description": "who may reach the demo's servers"})
	if err != nil {
		return err
	}
	app.Group = g.text("id")
	a, err := create(ctx, c.network, "security-groups", "security_group", map[string]any{
		"name": app.Name + admins, "description": "who may administer them"})
	if err != nil {
		return err
	}
	app.Admins = a.text("id")
	for _, rule := range []map[string]any{
		{"security_group_id": app.Group, "protocol": "tcp", "port_range_min": 22, "port_range_max": 22, "remote_ip_prefix": "10.77.0.0/24"},
		{"security_group_id": app.Group, "protocol": "tcp", "port_range_min": 443, "port_range_max": 443, "remote_ip_prefix": "0.0.0.0/0", "description": "customers"},
		{"security_group_id": app.Group, "protocol": "icmp", "remote_ip_prefix": "10.0.0.0/8"},
		{"security_group_id": app.Group, "protocol": "tcp", "port_range_min": 5432, "port_range_max": 5433, "remote_group_id": app.Group},
		{"security_group_id": app.Admins, "protocol": "udp", "port_range_min": 161, "port_range_max": 161, "remote_group_id": app.Group},
	} {
		rule["direction"], rule["ethertype"] = "ingress", "IPv4"
		if _, err := create(ctx, c.network, "security-group-rules", "security_group_rule", rule); err != nil {
			return err
		}
	}
	if err := errors.Join(c.tag(ctx, "security-groups/"+app.Group, "demo"), c.tag(ctx, "security-groups/"+app.Admins, "demo", "admins")); err != nil {
		return err
	}
	t, err := create(ctx, c.compute, "os-server-groups", "server_group", map[string]any{"name": app.Name + together, "policy": "soft-affinity"})
	if err != nil {
		return err
	}
	app.together = t.text("id")
	public, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return fmt.Errorf("making a key: %w", err)
	}
	_, err = create(ctx, c.compute, "os-keypairs", "keypair", map[string]any{
		"name": app.Name + key, "public_key": publicKey(public)})
	return err
}

// publicKey writes a key as OpenSSH does (RFC 8709).
func publicKey(k ed25519.PublicKey) string {
	const kind = "ssh-ed25519"
	var wire []byte
	for _, part := range [][]byte{[]byte(kind), k} {
		wire = binary.BigEndian.AppendUint32(wire, uint32(len(part)))
		wire = append(wire, part...)
	}
	return kind + " " + base64.StdEncoding.EncodeToString(wire) + " karbor-demo"
}
