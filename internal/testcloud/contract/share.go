package contract

import (
	"net/http"
	"slices"
	"testing"
)

// The states on the way of a share.
var (
	shareStatus    = []any{"share", "status"}
	shareMaking    = []string{"creating", "creating_from_snapshot"}
	snapshotStatus = []any{"snapshot", "status"}
)

// manila gives a copy of the session that asks for a microversion of the share API.
func (s *session) manila(version string) *session {
	return s.with("X-OpenStack-Manila-API-Version", version)
}

func testShare(t *testing.T, c *cloud) {
	if c.member.endpoints["sharev2"] == "" {
		t.Skip("the target has no shared file systems")
	}
	t.Run("life", func(t *testing.T) { testShareLife(t, c) })
	t.Run("snapshot", func(t *testing.T) { testShareSnapshot(t, c) })
	t.Run("refused", func(t *testing.T) { testShareRefused(t, c) })
	t.Run("quotas", func(t *testing.T) { testShareQuotas(t, c) })
}

// share makes a share of 1 GiB that can be made anew of snapshots, and removes it at
// the end.
func (c *cloud) share(t *testing.T, name string) (s *session, path string) {
	t.Helper()
	s = c.member.manila("2.63")
	kind := ""
	for _, one := range s.get(t, "sharev2", "/types").want(t, http.StatusOK).list("share_types") {
		specs, _ := one["extra_specs"].(map[string]any)
		required, _ := one["required_extra_specs"].(map[string]any)
		if specs["create_share_from_snapshot_support"] == "True" && required["driver_handles_share_servers"] == "False" && kind == "" {
			kind, _ = one["name"].(string)
		}
	}
	a := s.post(t, "sharev2", "/shares", object{"share": object{
		"name": c.name(name), "description": "plain", "share_proto": "nfs", "size": 1, "share_type": kind, "metadata": object{"a": "1"},
	}}).want(t, http.StatusOK)
	path = "/shares/" + a.text("share", "id")
	s.forget(t, "sharev2", path)
	s.until(t, "sharev2", path, shareStatus, "available", shareMaking...)
	return s, path
}

func testShareLife(t *testing.T, c *cloud) {
	s, path := c.share(t, "share")
	a := s.get(t, "sharev2", path).want(t, http.StatusOK)
	a.equals(t, float64(1), "share", "size")
	a.equals(t, "plain", "share", "description")
	a.equals(t, "NFS", "share", "share_proto")
	a.equals(t, "1", "share", "metadata", "a")
	a.equals(t, c.member.projectID, "share", "project_id")
	a.equals(t, false, "share", "is_public")
	a.equals(t, true, "share", "snapshot_support")
	a.equals(t, true, "share", "create_share_from_snapshot_support")
	a.dated(t, cinderTime, "share", "created_at")
	a.has(t, []any{"share"}, "share_type_name", "share_network_id", "availability_zone", "has_replicas", "access_rules_status", "progress", "share_group_id")
	s.put(t, "sharev2", path, object{"share": object{"display_name": c.name("renamed")}}).want(t, http.StatusOK).
		equals(t, c.name("renamed"), "share", "name")
	for _, query := range []string{"name=" + c.name("renamed"), "metadata=%7B%27a%27%3A+%271%27%7D&name=" + c.name("renamed")} {
		if got := ids(s.get(t, "sharev2", "/shares/detail?"+query).want(t, http.StatusOK).list("shares")); !slices.Equal(got, []string{path[len("/shares/"):]}) {
			t.Errorf("the list by %s gives %q", query, got)
		}
	}
	s.delete(t, "sharev2", path+"/metadata/a").want(t, http.StatusOK)
	s.delete(t, "sharev2", path+"/metadata/a").refused(t, http.StatusNotFound, "itemNotFound")
	other := c.other.manila("2.63")
	other.get(t, "sharev2", path).refused(t, http.StatusNotFound, "itemNotFound")
	other.delete(t, "sharev2", path).refused(t, http.StatusNotFound, "itemNotFound")
	rule := object{"allow_access": object{"access_type": "ip", "access_to": "192.0.2.0/24", "access_level": "ro"}}
	s.post(t, "sharev2", path+"/action", rule).want(t, http.StatusOK).equals(t, "192.0.2.0/24", "access", "access_to")
	s.post(t, "sharev2", path+"/action", rule).refused(t, http.StatusBadRequest, "badRequest")
	rules := s.get(t, "sharev2", "/share-access-rules?share_id="+path[len("/shares/"):]).want(t, http.StatusOK).list("access_list")
	if len(rules) != 1 || rules[0]["access_level"] != "ro" {
		t.Errorf("the access rules are %v", rules)
	}
	s.delete(t, "sharev2", path).want(t, http.StatusAccepted)
	s.untilGone(t, "sharev2", path, shareStatus, "deleting")
}

func testShareSnapshot(t *testing.T, c *cloud) {
	s, path := c.share(t, "origin")
	share := path[len("/shares/"):]
	a := s.post(t, "sharev2", "/snapshots", object{"snapshot": object{"share_id": share, "name": c.name("snapshot"), "description": "of it"}}).want(t, http.StatusAccepted)
	snapshot := "/snapshots/" + a.text("snapshot", "id")
	s.forget(t, "sharev2", snapshot)
	a = s.until(t, "sharev2", snapshot, snapshotStatus, "available", "creating")
	a.equals(t, share, "snapshot", "share_id")
	a.equals(t, float64(1), "snapshot", "size")
	a.equals(t, "of it", "snapshot", "description")
	a.equals(t, c.member.projectID, "snapshot", "project_id")
	if got := ids(s.get(t, "sharev2", "/snapshots/detail?share_id="+share).want(t, http.StatusOK).list("snapshots")); len(got) != 1 {
		t.Errorf("the snapshots of the share are %q", got)
	}
	c.other.manila("2.63").get(t, "sharev2", snapshot).refused(t, http.StatusNotFound, "itemNotFound")
	s.delete(t, "sharev2", path).refused(t, http.StatusForbidden, "forbidden")
	made := s.post(t, "sharev2", "/shares", object{"share": object{
		"name": c.name("copy"), "share_proto": "NFS", "size": 1, "snapshot_id": snapshot[len("/snapshots/"):], "metadata": object{"b": "2"},
	}}).want(t, http.StatusOK)
	copied := "/shares/" + made.text("share", "id")
	s.forget(t, "sharev2", copied)
	a = s.until(t, "sharev2", copied, shareStatus, "available", shareMaking...)
	a.equals(t, snapshot[len("/snapshots/"):], "share", "snapshot_id")
	a.equals(t, "2", "share", "metadata", "b")
	s.delete(t, "sharev2", copied).want(t, http.StatusAccepted)
	s.untilGone(t, "sharev2", copied, shareStatus, "deleting")
	s.delete(t, "sharev2", snapshot).want(t, http.StatusAccepted)
	s.untilGone(t, "sharev2", snapshot, snapshotStatus, "deleting")
}

func testShareRefused(t *testing.T, c *cloud) {
	s, missing := c.member.manila("2.63"), "00000000-0000-4000-8000-000000000000"
	for _, path := range []string{"/shares/", "/snapshots/"} {
		s.get(t, "sharev2", path+missing).refused(t, http.StatusNotFound, "itemNotFound")
		s.delete(t, "sharev2", path+missing).refused(t, http.StatusNotFound, "itemNotFound")
	}
	for _, one := range []struct {
		share  object
		status int
		word   string
	}{
		{object{"size": 0, "share_proto": "NFS"}, http.StatusBadRequest, "badRequest"},
		{object{"size": 1, "share_proto": "carrier-pigeon"}, http.StatusBadRequest, "badRequest"},
		{object{"size": 1, "share_proto": "NFS", "share_type": c.name("no-type")}, http.StatusNotFound, "itemNotFound"},
		{object{"size": 1, "share_proto": "NFS", "snapshot_id": missing}, http.StatusNotFound, "itemNotFound"},
	} {
		s.post(t, "sharev2", "/shares", object{"share": one.share}).refused(t, one.status, one.word)
	}
	s.post(t, "sharev2", "/snapshots", object{"snapshot": object{"share_id": missing}}).refused(t, http.StatusNotFound, "itemNotFound")
	c.member.manila("2.999").get(t, "sharev2", "/shares").want(t, http.StatusNotAcceptable)
}

func testShareQuotas(t *testing.T, c *cloud) {
	s, set := c.member.manila("2.63"), "/quota-sets/"+c.member.projectID
	s.get(t, "sharev2", "/limits").want(t, http.StatusOK).has(t, []any{"limits", "absolute"},
		"maxTotalShares", "totalSharesUsed", "maxTotalShareGigabytes", "totalShareGigabytesUsed",
		"maxTotalShareSnapshots", "totalShareSnapshotsUsed", "maxTotalSnapshotGigabytes", "totalSnapshotGigabytesUsed",
		"maxTotalShareNetworks", "totalShareNetworksUsed", "maxTotalShareReplicas", "totalReplicaGigabytesUsed", "maxTotalShareGroups")
	kind := s.get(t, "sharev2", "/types").want(t, http.StatusOK).list("share_types")[0]["name"].(string)
	s.get(t, "sharev2", set).want(t, http.StatusOK).has(t, []any{"quota_set"}, "id", "shares", "gigabytes", "share_networks", "per_share_gigabytes")
	for _, path := range []string{set + "/detail", set + "/detail?share_type=" + kind} {
		a := s.get(t, "sharev2", path).want(t, http.StatusOK)
		a.equals(t, c.member.projectID, "quota_set", "id")
		for _, quota := range []any{"shares", "gigabytes", "snapshots", "snapshot_gigabytes", "per_share_gigabytes"} {
			a.has(t, []any{"quota_set", quota}, "limit", "in_use", "reserved")
		}
	}
	s.get(t, "sharev2", set+"/detail?share_type="+c.name("no-type")).refused(t, http.StatusNotFound, "itemNotFound")
	c.other.manila("2.63").get(t, "sharev2", set+"/detail").refused(t, http.StatusForbidden, "forbidden")
	s.put(t, "sharev2", set, object{"quota_set": object{"shares": 1}}).refused(t, http.StatusForbidden, "forbidden")
}
