// Package pod is the protection plug-in that keeps a Kubernetes pod: its manifest lies in
// the bank, and the Cinder volumes that its claims are bound to are nodes of their own,
// which the provider's plug-in for volumes protects. A restore makes persistent volumes
// and claims for the restored volumes, and then the pod. Source: spec, plugins; the
// Kubernetes API, core/v1.
package pod

import (
	"context"
	"embed"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/kubernetes"
	"github.com/karbor/karbor/internal/openstack"
	"github.com/karbor/karbor/plugin"
	"github.com/karbor/karbor/protection"
)

// Name is the plug-in's name in provider files.
const Name = "karbor-pod-protection-plugin"

// Plugin is the plug-in's definition; k lets clusters be reached. The time-out limits each
// single wait: for a pod to run, or for something to be gone.
func Plugin(k kubernetes.Options) plugin.Definition[protection.Plugin] {
	return plugin.Define(Name, "Protects Kubernetes pods: manifests in the bank, Cinder volumes as nodes of their own.",
		func() protection.Polling {
			return protection.Polling{PollInterval: 5 * time.Second, Timeout: 15 * time.Minute}
		},
		func(_ context.Context, o protection.Polling) (protection.Plugin, error) {
			clusters, err := kubernetes.New(k)
			if err != nil {
				return nil, err
			}
			s, err := protection.ReadSchemas(schemas)
			return &room{clusters: clusters, waits: openstack.Waits{Longest: o.PollInterval, Timeout: o.Timeout}, schemas: s}, err
		})
}

//go:embed schemas/*.json
var schemas embed.FS

type room struct {
	clusters *kubernetes.Clusters
	waits    openstack.Waits
	schemas  protection.Schemas
}

// Types implements protection.Plugin.
func (*room) Types() []karbor.ResourceType { return []karbor.ResourceType{karbor.PodType} }

// Schemas implements protection.Plugin.
func (r *room) Schemas(karbor.ResourceType) protection.Schemas { return r.schemas }

// Hooks implements protection.Plugin. What it keeps is in the bank: there is nothing to
// undo or to delete.
func (r *room) Hooks(op karbor.OperationType, t karbor.ResourceType) protection.Hooks {
	switch {
	case t != karbor.PodType:
		return protection.Hooks{}
	case op == karbor.Protect:
		return protection.Hooks{PrepareFinish: r.look, Main: r.protect}
	case op == karbor.RestoreOperation:
		return protection.Hooks{Complete: r.restore, Undo: r.undoRestore, Preflight: r.preflight}
	case op == karbor.Verify:
		return protection.Verified(documentKey, sound)
	default:
		return protection.Hooks{}
	}
}
