package contract

import (
	"maps"
	"net/http"
	"slices"
	"testing"
)

// The states on the way of a database instance and of its backup.
var (
	instanceStatus       = []any{"instance", "status"}
	databaseBackupStatus = []any{"backup", "status"}
	backupMaking         = []string{"NEW", "BUILDING", "SAVING"}
)

func testDatabase(t *testing.T, c *cloud) {
	if c.member.endpoints["database"] == "" {
		t.Skip("the target has no databases")
	}
	t.Run("life", func(t *testing.T) { testDatabaseLife(t, c) })
	t.Run("backup", func(t *testing.T) { testDatabaseBackup(t, c) })
	t.Run("refused", func(t *testing.T) { testDatabaseRefused(t, c) })
}

// database makes an instance with one database.
func (c *cloud) database(t *testing.T, name string, members object) string {
	t.Helper()
	ask := object{"name": c.name(name), "flavorRef": "1", "volume": object{"size": 1}, "databases": []object{{"name": "orders"}}}
	maps.Copy(ask, members)
	a := c.member.post(t, "database", "/instances", object{"instance": ask}).want(t, http.StatusOK)
	path := "/instances/" + a.text("instance", "id")
	c.member.forget(t, "database", path)
	a.equals(t, "BUILD", instanceStatus...)
	c.member.until(t, "database", path, instanceStatus, "ACTIVE", "BUILD")
	return path
}

func testDatabaseLife(t *testing.T, c *cloud) {
	s, path := c.member, c.database(t, "life", nil)
	a := s.get(t, "database", path).want(t, http.StatusOK)
	a.equals(t, c.name("life"), "instance", "name")
	a.equals(t, "1", "instance", "flavor", "id")
	a.equals(t, float64(1), "instance", "volume", "size")
	a.has(t, []any{"instance"}, "datastore", "links", "operating_status", "access", "created", "updated")
	s.call(t, http.MethodPatch, "database", path, object{"instance": object{"name": c.name("renamed")}}).want(t, http.StatusAccepted)
	s.get(t, "database", path).want(t, http.StatusOK).equals(t, c.name("renamed"), "instance", "name")
	if got := ids(s.get(t, "database", "/instances").want(t, http.StatusOK).list("instances")); !slices.Contains(got, path[len("/instances/"):]) {
		t.Errorf("the list has %q", got)
	}
	if c.admin != nil {
		all := c.admin.get(t, "database", "/mgmt/instances?deleted=false").want(t, http.StatusOK).list("instances")
		if i := slices.IndexFunc(all, func(o object) bool { return o["id"] == path[len("/instances/"):] }); i < 0 || all[i]["tenant_id"] != c.member.projectID {
			t.Errorf("the administrator's list has it at %d: %v", i, ids(all))
		}
	}
	c.other.get(t, "database", path).refused(t, http.StatusNotFound, "itemNotFound")
	c.other.delete(t, "database", path).refused(t, http.StatusNotFound, "itemNotFound")
	s.delete(t, "database", path).want(t, http.StatusAccepted)
	s.untilGone(t, "database", path, instanceStatus, "SHUTDOWN")
}

func testDatabaseBackup(t *testing.T, c *cloud) {
	s, path := c.member, c.database(t, "origin", nil)
	instance := path[len("/instances/"):]
	save := func(name string, members object) string {
		t.Helper()
		ask := object{"name": c.name(name), "description": "of it"}
		maps.Copy(ask, members)
		a := s.post(t, "database", "/backups", object{"backup": ask}).want(t, http.StatusAccepted)
		made := "/backups/" + a.text("backup", "id")
		s.forget(t, "database", made)
		a = s.until(t, "database", made, databaseBackupStatus, "COMPLETED", backupMaking...)
		a.equals(t, instance, "backup", "instance_id")
		a.equals(t, "of it", "backup", "description")
		s.until(t, "database", path, instanceStatus, "ACTIVE", "BACKUP")
		return made
	}
	whole := save("full", object{"instance": instance})
	part := save("part", object{"instance": instance, "parent_id": whole[len("/backups/"):]})
	s.get(t, "database", part).want(t, http.StatusOK).equals(t, whole[len("/backups/"):], "backup", "parent_id")
	if got := ids(s.get(t, "database", "/backups?instance_id="+instance).want(t, http.StatusOK).list("backups")); len(got) != 2 {
		t.Errorf("the backups of the instance are %q", got)
	}
	c.other.get(t, "database", whole).refused(t, http.StatusNotFound, "itemNotFound")
	copied := c.database(t, "copy", object{"databases": []object{}, "restorePoint": object{"backupRef": part[len("/backups/"):]}})
	if got := s.get(t, "database", copied+"/databases").want(t, http.StatusOK).list("databases"); len(got) != 1 || got[0]["name"] != "orders" {
		t.Errorf("the databases of the copy are %v", got)
	}
	// What stands on a backup goes with it.
	s.delete(t, "database", whole).want(t, http.StatusAccepted)
	s.untilGone(t, "database", part, databaseBackupStatus, "COMPLETED")
	s.untilGone(t, "database", whole, databaseBackupStatus, "COMPLETED")
}

func testDatabaseRefused(t *testing.T, c *cloud) {
	s, missing := c.member, "00000000-0000-4000-8000-000000000000"
	for _, path := range []string{"/instances/", "/backups/", "/configurations/"} {
		s.get(t, "database", path+missing).refused(t, http.StatusNotFound, "itemNotFound")
		s.delete(t, "database", path+missing).refused(t, http.StatusNotFound, "itemNotFound")
	}
	s.post(t, "database", "/backups", object{"backup": object{"name": "x", "instance": missing}}).refused(t, http.StatusNotFound, "itemNotFound")
	s.post(t, "database", "/backups", object{"backup": object{"name": "x"}}).refused(t, http.StatusBadRequest, "badRequest")
	for _, one := range []struct {
		members object
		status  int
		word    string
	}{
		{object{"flavorRef": c.name("none")}, http.StatusNotFound, "itemNotFound"},
		{object{"volume": object{"size": 0}}, http.StatusBadRequest, "badRequest"},
		{object{"datastore": object{"type": c.name("none")}}, http.StatusNotFound, "itemNotFound"},
		{object{"restorePoint": object{"backupRef": missing}}, http.StatusNotFound, "itemNotFound"},
	} {
		ask := object{"name": c.name("refused"), "flavorRef": "1", "volume": object{"size": 1}}
		maps.Copy(ask, one.members)
		s.post(t, "database", "/instances", object{"instance": ask}).refused(t, one.status, one.word)
	}
}
