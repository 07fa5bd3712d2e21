package openstack

import (
	"context"
	"errors"
	"net/http"
	"regexp"
	"strconv"
	"strings"

	"github.com/gophercloud/gophercloud/v2"

	"github.com/karbor/karbor"
)

// service is how a service is found in a catalogue and talked to.
type service struct {
	// name is for error texts.
	name string
	// types are the names that catalogues give it, the best first.
	types []string
	// kind is gophercloud's word, by which it sends the microversion.
	kind string
	// base is the path below an endpoint that names no version.
	base string
	// wanted is the microversion that Karbor is written for; "" for none.
	wanted string
}

var (
	computeService      = service{name: "compute", types: []string{"compute"}, kind: "compute", wanted: "2.79"}
	blockStorageService = service{name: "block storage", types: []string{"block-storage", "volumev3", "volume"}, kind: "block-storage", wanted: "3.64"}
	imageService        = service{name: "image", types: []string{"image"}, kind: "image", base: "v2/"}
	networkService      = service{name: "network", types: []string{"network"}, kind: "network", base: "v2.0/"}
	shareService        = service{name: "shared file systems", types: []string{"shared-file-system", "sharev2"}, kind: "shared-file-system", wanted: "2.63"}
	databaseService     = service{name: "database", types: []string{"database"}, kind: "database"}
	objectService       = service{name: "object storage", types: []string{"object-store"}, kind: "object-store"}
	backupService       = service{name: "backup", types: []string{"backup"}, kind: "backup", base: "v2/"}
	keyService          = service{name: "key manager", types: []string{"key-manager"}, kind: "key-manager", base: "v1/"}
	dnsService          = service{name: "DNS", types: []string{"dns"}, kind: "dns", base: "v2/"}
)

// Compute gives a client of Nova, at microversion 2.79, or at the newest that the
// cloud offers below it.
//
// The client of this and of the next functions is the caller's own: it may set
// another Microversion. It is for the life of the session, and safe for concurrent
// requests. Pass its errors through Explain. The error of the functions is
// karbor.NotImplemented if the catalogue has no such service.
func Compute(ctx context.Context, c karbor.Cloud) (*gophercloud.ServiceClient, error) {
	return client(ctx, c, computeService)
}

// ComputeFrom gives a client of Nova at a microversion; karbor.NotImplemented if the cloud
// offers none as new.
func ComputeFrom(ctx context.Context, c karbor.Cloud, microversion string) (*gophercloud.ServiceClient, error) {
	return from(ctx, c, computeService, microversion)
}

// BlockStorage gives a client of Cinder, at microversion 3.64, or at the newest
// that the cloud offers below it.
func BlockStorage(ctx context.Context, c karbor.Cloud) (*gophercloud.ServiceClient, error) {
	return client(ctx, c, blockStorageService)
}

// BlockStorageFrom gives a client of Cinder at a microversion; karbor.NotImplemented if the
// cloud offers none as new.
func BlockStorageFrom(ctx context.Context, c karbor.Cloud, microversion string) (*gophercloud.ServiceClient, error) {
	return from(ctx, c, blockStorageService, microversion)
}

// Image gives a client of Glance.
func Image(ctx context.Context, c karbor.Cloud) (*gophercloud.ServiceClient, error) {
	return client(ctx, c, imageService)
}

// Network gives a client of Neutron.
func Network(ctx context.Context, c karbor.Cloud) (*gophercloud.ServiceClient, error) {
	return client(ctx, c, networkService)
}

// SharedFileSystems gives a client of Manila, at microversion 2.63, or at the newest
// that the cloud offers below it.
func SharedFileSystems(ctx context.Context, c karbor.Cloud) (*gophercloud.ServiceClient, error) {
	return client(ctx, c, shareService)
}

// Database gives a client of Trove.
func Database(ctx context.Context, c karbor.Cloud) (*gophercloud.ServiceClient, error) {
	return client(ctx, c, databaseService)
}

// ObjectStorage gives a client of Swift.
func ObjectStorage(ctx context.Context, c karbor.Cloud) (*gophercloud.ServiceClient, error) {
	return client(ctx, c, objectService)
}

// Backup gives a client of Freezer. What it asks for lies below the project's id.
func Backup(ctx context.Context, c karbor.Cloud) (*gophercloud.ServiceClient, error) {
	return client(ctx, c, backupService)
}

// KeyManager gives a client of Barbican.
func KeyManager(ctx context.Context, c karbor.Cloud) (*gophercloud.ServiceClient, error) {
	return client(ctx, c, keyService)
}

// DNS gives a client of Designate.
func DNS(ctx context.Context, c karbor.Cloud) (*gophercloud.ServiceClient, error) {
	return client(ctx, c, dnsService)
}

// from gives a client of a service at a microversion, and none at an older one.
func from(ctx context.Context, c karbor.Cloud, svc service, microversion string) (*gophercloud.ServiceClient, error) {
	svc.wanted = microversion
	out, err := client(ctx, c, svc)
	if err == nil && !offers(out, microversion) {
		return nil, karbor.Errorf(karbor.NotImplemented, "the cloud's %s service is older than microversion %s", svc.name, microversion)
	}
	return out, err
}

func client(ctx context.Context, c karbor.Cloud, svc service) (*gophercloud.ServiceClient, error) {
	s, err := sessionOf(c)
	if err != nil {
		return nil, err
	}
	list, err := s.catalog(ctx)
	if err != nil {
		return nil, explain(err, "looking for the %s service", svc.name)
	}
	endpoint := list.find(svc.types, s.site.iface, s.site.region)
	if endpoint == "" {
		return nil, karbor.Errorf(karbor.NotImplemented, "the cloud offers no %s service here", svc.name)
	}
	out := &gophercloud.ServiceClient{ProviderClient: s.provider, Endpoint: endpoint, Type: svc.kind}
	if svc.base != "" {
		out.Endpoint = versionSuffix.ReplaceAllString(endpoint, "/")
		out.ResourceBase = out.Endpoint + svc.base
	}
	if svc.wanted != "" {
		if out.Microversion, err = s.microversion(ctx, endpoint, svc.wanted); err != nil {
			return nil, explain(err, "asking the %s service for its versions", svc.name)
		}
	}
	return out, nil
}

var (
	versionSuffix = regexp.MustCompile(`/v[0-9.]+/$`)
	versionPath   = regexp.MustCompile(`^(https?://.*?/v[0-9][0-9.]*/)`)
)

// versionRange is what a service offers; zero if it has no microversions.
type versionRange struct{ lowest, highest microversion }

type microversion struct{ major, minor int }

func parseMicroversion(s string) microversion {
	major, minor, _ := strings.Cut(s, ".")
	var v microversion
	v.major, _ = strconv.Atoi(major)
	v.minor, _ = strconv.Atoi(minor)
	return v
}

func (v microversion) less(w microversion) bool {
	return v.major < w.major || v.major == w.major && v.minor < w.minor
}

func (v microversion) String() string {
	return strconv.Itoa(v.major) + "." + strconv.Itoa(v.minor)
}

// choose gives wanted if it is offered, else the newest if that is older, else the
// oldest; "" if the service has no microversions.
func (r versionRange) choose(wanted string) string {
	w := parseMicroversion(wanted)
	switch {
	case r.highest == microversion{}:
		return ""
	case r.highest.less(w):
		return r.highest.String()
	case w.less(r.lowest):
		return r.lowest.String()
	}
	return wanted
}

// versionDocument is what a service answers at the root of a version: one version,
// or a list.
type versionDocument struct {
	Version  *serviceVersion  `json:"version"`
	Versions []serviceVersion `json:"versions"`
}

type serviceVersion struct {
	ID      string `json:"id"`
	Version string `json:"version"`
	Max     string `json:"max_version"`
	Min     string `json:"min_version"`
}

// microversion asks the service behind an endpoint for its range of microversions.
func (c *session) microversion(ctx context.Context, endpoint, wanted string) (string, error) {
	root := endpoint
	if m := versionPath.FindString(endpoint); m != "" {
		root = m
	}
	if found, ok := c.site.versions.get(root); ok {
		return found.choose(wanted), nil
	}
	var doc versionDocument
	_, err := c.provider.Request(ctx, http.MethodGet, root, &gophercloud.RequestOpts{
		JSONResponse: &doc, OkCodes: []int{http.StatusOK, http.StatusMultipleChoices},
	})
	if err != nil && !saysNothing(err) {
		return "", err
	}
	if doc.Version != nil {
		doc.Versions = append(doc.Versions, *doc.Version)
	}
	var offered versionRange
	major := parseMicroversion(wanted).major
	for _, v := range doc.Versions {
		top := parseMicroversion(max(v.Version, v.Max))
		if top.major == major && offered.highest.less(top) {
			offered = versionRange{parseMicroversion(v.Min), top}
		}
	}
	c.site.versions.put(root, offered, c.site.now().Add(discoveryTTL))
	return offered.choose(wanted), nil
}

// saysNothing reports that a service answered, but not with its versions: it is
// then used without a microversion.
func saysNothing(err error) bool {
	var code gophercloud.ErrUnexpectedResponseCode
	return errors.As(err, &code) && (code.Actual == http.StatusNotFound || code.Actual == http.StatusForbidden || code.Actual == http.StatusMethodNotAllowed)
}

// catalog is a token's list of services.
type catalog []catalogService

type catalogService struct {
	Type      string            `json:"type"`
	Endpoints []catalogEndpoint `json:"endpoints"`
}

type catalogEndpoint struct {
	Interface string `json:"interface"`
	Region    string `json:"region"`
	RegionID  string `json:"region_id"`
	URL       string `json:"url"`
}

// find gives the URL of the first service of one of the types, tried in their
// order, that has an endpoint of the interface and region; "" if none has.
func (c catalog) find(types []string, iface, region string) string {
	for _, want := range types {
		for _, s := range c {
			if s.Type != want {
				continue
			}
			for _, e := range s.Endpoints {
				if e.Interface == iface && (region == "" || e.Region == region || e.RegionID == region) {
					return strings.TrimRight(e.URL, "/") + "/"
				}
			}
		}
	}
	return ""
}

// catalog gives the catalogue of the session's project, asked for with the
// session's own token.
func (c *session) catalog(ctx context.Context) (catalog, error) {
	g, err := c.grant(ctx)
	if err != nil {
		return nil, err
	}
	if found, ok := c.site.catalogs.get(g.projectID); ok {
		return found, nil
	}
	var out struct {
		Catalog catalog `json:"catalog"`
	}
	_, err = c.site.call(ctx, http.MethodGet, "/auth/catalog", g.token, nil, nil, &out, http.StatusOK)
	if karbor.KindOf(err) == karbor.Unauthorized && err != nil && c.grants.issuer != nil {
		if g, err = c.grants.renew(ctx, g); err != nil {
			return nil, err
		}
		_, err = c.site.call(ctx, http.MethodGet, "/auth/catalog", g.token, nil, nil, &out, http.StatusOK)
	}
	if err != nil {
		return nil, err
	}
	c.site.catalogs.put(g.projectID, out.Catalog, c.site.now().Add(catalogTTL))
	return out.Catalog, nil
}
