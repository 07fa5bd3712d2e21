package manila

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/karbor/karbor/internal/testcloud/fabric"
)

// quota is a limit of the API.
type quota struct {
	name string
	// kept is what the limits of all services know it by.
	kept string
	// most and used are its names among a project's limits; "" if it is not there.
	most, used string
	// since is the minor microversion that shows it; of a project's limits, shown is.
	since, shown int
	// ofProject says that a share type has none.
	ofProject bool
}

// quotas are those that the API has.
var quotas = []quota{
	{name: "shares", kept: "shares", most: "maxTotalShares", used: "totalSharesUsed"},
	{name: "gigabytes", kept: "share_gigabytes", most: "maxTotalShareGigabytes", used: "totalShareGigabytesUsed"},
	{name: "snapshots", kept: "share_snapshots", most: "maxTotalShareSnapshots", used: "totalShareSnapshotsUsed"},
	{name: "snapshot_gigabytes", kept: "share_snapshot_gigabytes", most: "maxTotalSnapshotGigabytes", used: "totalSnapshotGigabytesUsed"},
	{name: "share_networks", kept: "share_networks", most: "maxTotalShareNetworks", used: "totalShareNetworksUsed", ofProject: true},
	{name: "share_groups", kept: "share_groups", most: "maxTotalShareGroups", used: "totalShareGroupsUsed", since: 40, shown: 58, ofProject: true},
	{name: "share_group_snapshots", kept: "share_group_snapshots", most: "maxTotalShareGroupSnapshots", used: "totalShareGroupSnapshotsUsed",
		since: 40, shown: 58, ofProject: true},
	{name: "share_replicas", kept: "share_replicas", most: "maxTotalShareReplicas", used: "totalShareReplicasUsed", since: 53, shown: 53},
	{name: "replica_gigabytes", kept: "share_replica_gigabytes", most: "maxTotalReplicaGigabytes", used: "totalReplicaGigabytesUsed", since: 53, shown: 53},
	{name: "per_share_gigabytes", kept: "per_share_gigabytes", since: 62},
}

// ofType is what the limit of a share type is known by.
func ofType(kept, id string) string { return kept + " of " + id }

// limit gives a project's limit, or that of a share type of its own: without one it is the project's.
func (m *Manila) limit(project, kind, kept string) int {
	if kind != "" {
		if n, ok := m.fab.Quotas.Own(project, ofType(kept, kind)); ok {
			return n
		}
	}
	return m.fab.Quotas.Limit(project, kept)
}

// over is Manila's answer to what passes a quota.
func over(e *fabric.Exceeded) error {
	message := map[string]string{
		"shares":                   fmt.Sprintf("ShareLimitExceeded: Maximum number of shares allowed (%d) either per project/user or share type quota is exceeded.", e.Limit),
		"share_gigabytes":          "ShareSizeExceedsAvailableQuota: Requested share exceeds allowed project/user or share type gigabytes quota.",
		"share_snapshots":          fmt.Sprintf("SnapshotLimitExceeded: Maximum number of snapshots allowed (%d) either per project/user or share type quota is exceeded.", e.Limit),
		"share_snapshot_gigabytes": "SnapshotSizeExceedsAvailableQuota: Requested snapshot exceeds allowed project/user or share type gigabytes quota.",
		"share_networks":           fmt.Sprintf("ShareNetworksLimitExceeded: Maximum number of share-networks allowed (%d) exceeded.", e.Limit),
		"per_share_gigabytes":      fmt.Sprintf("ShareSizeExceedsLimit: Requested share size %d is larger than maximum allowed limit %d.", e.Want, e.Limit),
	}[e.Resource]
	return &fabric.Error{Status: http.StatusRequestEntityTooLarge, Message: message, Header: http.Header{"Retry-After": {"0"}}}
}

// want is how much more of a resource is asked for.
type want struct {
	resource string
	n        int
}

// within keeps what put inserts if the quotas of the project, and of the share type if there is one, allow it.
func (m *Manila) within(project, kind string, wants []want, put func()) error {
	return m.fab.Atomic(func() error {
		used, ofKind := m.usage(project, ""), m.usage(project, kind)
		for _, w := range wants {
			e := m.fab.Quotas.Check(project, w.resource, used[w.resource], w.n)
			if limit := m.limit(project, kind, w.resource); e == nil && limit >= 0 && ofKind[w.resource]+w.n > limit {
				e = &fabric.Exceeded{Resource: w.resource, Limit: limit, Used: ofKind[w.resource], Want: w.n}
			}
			if e != nil {
				return over(e)
			}
		}
		put()
		return nil
	})
}

// usage counts what a project uses of each resource: by shares of a type, if there is one.
func (m *Manila) usage(project, kind string) map[string]int {
	used := map[string]int{}
	for _, s := range m.shares.List(func(s share) bool { return s.Project == project && (kind == "" || s.TypeID == kind) }) {
		used["shares"]++
		used["share_gigabytes"] += s.SizeGiB
	}
	for _, s := range m.snapshots.List(func(s snapshot) bool { return s.Project == project }) {
		if from, _ := m.shares.Get(s.ShareID); kind != "" && from.TypeID != kind {
			continue
		}
		used["share_snapshots"]++
		used["share_snapshot_gigabytes"] += s.SizeGiB
	}
	if kind == "" {
		used["share_networks"] = len(m.networks.List(func(n shareNetwork) bool { return n.Project == project }))
	}
	return used
}

func (m *Manila) limitRoutes() {
	m.handle("GET", "/limits", func(r *fabric.Request) error {
		used, absolute := m.usage(r.ProjectID, ""), map[string]any{}
		for _, q := range quotas {
			if q.most != "" && r.Version.AtLeast(2, q.shown) {
				absolute[q.most], absolute[q.used] = m.limit(r.ProjectID, "", q.kept), used[q.kept]
			}
		}
		return r.JSON(http.StatusOK, map[string]any{"limits": map[string]any{"rate": []any{}, "absolute": absolute}})
	})
}

// quotaRoutes are those of the quotas: whoever may see a project sees them, and administrators set them.
func (m *Manila) quotaRoutes() {
	// These routes are there since 2.7, that with the use since 2.25: before, they were Manila's os-quota-sets.
	show := func(since int, detail bool) fabric.Handler {
		return func(r *fabric.Request) error {
			project := r.PathValue("target")
			if !r.Version.AtLeast(2, since) {
				return absent()
			}
			if !r.Sees(project) {
				return fabric.Forbidden("Policy doesn't allow quota_set:show to be performed.")
			}
			kind, err := m.kindOfQuota(r)
			if err != nil {
				return err
			}
			set := m.quotaSet(r, project, kind, detail)
			set["id"] = project
			return r.JSON(http.StatusOK, map[string]any{"quota_set": set})
		}
	}
	m.handle("GET", "/quota-sets/{target}", show(7, false))
	m.handle("GET", "/quota-sets/{target}/detail", show(25, true))
	m.handle("PUT", "/quota-sets/{target}", m.setQuotas)
	m.handle("DELETE", "/quota-sets/{target}", func(r *fabric.Request) error {
		if !r.Admin() {
			return fabric.Forbidden("Policy doesn't allow quota_set:delete to be performed.")
		}
		kind, err := m.kindOfQuota(r)
		if err != nil {
			return err
		}
		for _, q := range quotas {
			m.fab.Quotas.Unset(r.PathValue("target"), keptFor(q, kind))
		}
		return r.Empty(http.StatusAccepted)
	})
}

// keptFor is what a quota is known by, of a share type if there is one.
func keptFor(q quota, kind string) string {
	if kind == "" {
		return q.kept
	}
	return ofType(q.kept, kind)
}

// kindOfQuota gives the id of the share type whose quotas a request is about; "" for those of all.
func (m *Manila) kindOfQuota(r *fabric.Request) (string, error) {
	ref := r.URL.Query().Get("share_type")
	if ref == "" {
		return "", nil
	}
	if !r.Version.AtLeast(2, 39) {
		return "", fabric.BadRequest("'share_type' key is not supported by this microversion. Use 2.39 or greater microversion to be able to use 'share_type' quotas.")
	}
	kind, ok := m.findType(ref)
	if !ok {
		return "", fabric.NotFound("Share type with name or id '%s' not found.", ref)
	}
	return kind.ID, nil
}

func (m *Manila) quotaSet(r *fabric.Request, project, kind string, detail bool) map[string]any {
	set, used := map[string]any{}, m.usage(project, kind)
	for _, q := range quotas {
		if !r.Version.AtLeast(2, q.since) || kind != "" && q.ofProject {
			continue
		}
		limit := m.limit(project, kind, q.kept)
		set[q.name] = limit
		if detail {
			set[q.name] = map[string]int{"limit": limit, "in_use": used[q.kept], "reserved": 0}
		}
	}
	return set
}

// setQuotas sets a project's limits, or those of a share type, which are not above the project's.
func (m *Manila) setQuotas(r *fabric.Request) error {
	var body struct {
		Set map[string]json.RawMessage `json:"quota_set"`
	}
	if err := r.Decode(&body); err != nil {
		return err
	}
	if !r.Admin() {
		return fabric.Forbidden("Policy doesn't allow quota_set:update to be performed.")
	}
	kind, err := m.kindOfQuota(r)
	if err != nil {
		return err
	}
	project := r.PathValue("target")
	force := strings.EqualFold(strings.Trim(string(body.Set["force"]), `"`), "true")
	used, limits := m.usage(project, kind), map[string]int{}
	for name, value := range body.Set {
		if slices.Contains([]string{"tenant_id", "id", "force", "share_type"}, name) {
			continue
		}
		i := slices.IndexFunc(quotas, func(q quota) bool { return q.name == name })
		if i < 0 || kind != "" && quotas[i].ofProject {
			return fabric.BadRequest("Bad key(s) %s in quota_set.", name)
		}
		n, most, kept := 0, m.fab.Quotas.Limit(project, quotas[i].kept), quotas[i].kept
		switch err := json.Unmarshal([]byte(strings.Trim(string(value), `"`)), &n); {
		case err != nil:
			return fabric.BadRequest("Quota '%s' for %s should be integer.", value, name)
		case n < -1:
			return fabric.BadRequest("Quota limit must be -1 or greater.")
		case !force && n >= 0 && n < used[kept]:
			return fabric.BadRequest("Quota value %d for %s is smaller than already used and reserved %d.", n, name, used[kept])
		case !force && kind != "" && most >= 0 && (n < 0 || n > most):
			return fabric.BadRequest("Quota limit must be less than %d.", most)
		}
		limits[keptFor(quotas[i], kind)] = n
	}
	for kept, n := range limits {
		m.fab.Quotas.Set(project, kept, n)
	}
	return r.JSON(http.StatusOK, map[string]any{"quota_set": m.quotaSet(r, project, kind, false)})
}
