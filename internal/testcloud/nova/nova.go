// Package nova is the compute service of the simulated cloud, as the compute
// API 2.1 with microversions up to 2.94 has it: servers with real bytes in
// their root disks, attachments, actions, metadata, tags, key pairs, flavors,
// server groups and quotas. Its answers follow those seen of OpenStack Zed, whose
// last microversion is 2.93; 2.94, which only lets a host name have its domain,
// follows the API reference.
//
// No guest runs, but each boot writes one block into the server's root disk,
// as a guest's journal would: so the disk of a server that has booted is never
// that of its image. Root disks are as long as their images.
package nova

import (
	"context"
	"net/http"
	"sync"

	"github.com/karbor/karbor/internal/testcloud/fabric"
	"github.com/karbor/karbor/internal/testcloud/neutron"
)

// root is where the service is mounted.
const root = "/compute/v2.1"

// object is a JSON object.
type object = map[string]any

// Nova is the compute service, an http.Handler. It is safe for concurrent use.
type Nova struct {
	*fabric.Service
	fab      *fabric.Fabric
	images   fabric.Images
	volumes  fabric.Volumes
	networks *neutron.Neutron

	servers  *fabric.Collection[Server]
	flavors  *fabric.Collection[Flavor]
	keypairs *fabric.Collection[Keypair]
	groups   *fabric.Collection[Group]
	events   *fabric.Collection[Event]

	mu    sync.Mutex
	locks map[string]*sync.Mutex
}

// New makes the service on the fabric and its neighbours, and goes on with
// what was under way when the last run ended.
func New(f *fabric.Fabric, images fabric.Images, volumes fabric.Volumes, networks *neutron.Neutron) *Nova {
	n := &Nova{
		Service: fabric.NewService(f, "nova", fabric.ComputeStyle, &fabric.Microversions{
			Type: "compute", Old: "X-OpenStack-Nova-API-Version",
			Min: fabric.Version{Major: 2, Minor: 1}, Max: fabric.Version{Major: 2, Minor: 94},
		}),
		fab: f, images: images, volumes: volumes, networks: networks,
		servers:  fabric.NewCollection[Server](f.Store, "nova-servers"),
		flavors:  fabric.NewCollection[Flavor](f.Store, "nova-flavors"),
		keypairs: fabric.NewCollection[Keypair](f.Store, "nova-keypairs"),
		groups:   fabric.NewCollection[Group](f.Store, "nova-groups"),
		events:   fabric.NewCollection[Event](f.Store, "nova-events"),
		locks:    map[string]*sync.Mutex{},
	}
	n.HandleOpen("GET /compute", n.versionList)
	n.HandleOpen("GET "+root, n.version)
	n.serverRoutes()
	n.attachmentRoutes()
	n.interfaceRoutes()
	n.metadataRoutes()
	n.tagRoutes()
	n.keypairRoutes()
	n.flavorRoutes()
	n.groupRoutes()
	n.limitRoutes()
	n.resume()
	return n
}

// Seed makes the flavors, unless there are some.
func (n *Nova) Seed(context.Context, fabric.Projects) error {
	if len(n.flavors.List(nil)) > 0 {
		return nil
	}
	for _, f := range []Flavor{
		{ID: "1", Name: "m1.tiny", RAM: 512, Disk: 1, VCPUs: 1},
		{ID: "2", Name: "m1.small", RAM: 2048, Disk: 20, VCPUs: 1},
		{ID: "3", Name: "m1.medium", RAM: 4096, Disk: 40, VCPUs: 2},
	} {
		f.Public, f.ExtraSpecs = true, map[string]string{}
		n.flavors.Put(f.ID, f)
	}
	return nil
}

func versionEntry(r *fabric.Request) object {
	return object{
		"id": "v2.1", "status": "CURRENT", "version": "2.94", "min_version": "2.1", "updated": "2013-07-23T11:33:21Z",
		"links": []object{{"rel": "self", "href": r.Base() + root + "/"}},
	}
}

func (n *Nova) versionList(r *fabric.Request) error {
	return r.JSON(http.StatusOK, object{"versions": []object{versionEntry(r)}})
}

func (n *Nova) version(r *fabric.Request) error {
	v := versionEntry(r)
	v["media-types"] = []object{{"base": "application/json", "type": "application/vnd.openstack.compute+json;version=2.1"}}
	return r.JSON(http.StatusOK, object{"version": v})
}

// lock makes work on one server exclusive: its build, its removal and its
// attachments. The caller unlocks.
func (n *Nova) lock(id string) *sync.Mutex {
	n.mu.Lock()
	l := n.locks[id]
	if l == nil {
		l = &sync.Mutex{}
		n.locks[id] = l
	}
	n.mu.Unlock()
	l.Lock()
	return l
}

// denied is Nova's answer to a policy that says no.
func denied(rule string) error {
	return fabric.Forbidden("Policy doesn't allow os_compute_api:%s to be performed.", rule)
}
