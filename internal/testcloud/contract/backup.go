package contract

import (
	"net/http"
	"testing"
)

// testSnapshotBackup makes a full and an incremental backup of snapshots, and a volume
// of a backup with metadata of its own, which Cinder replaces by the original's.
func testSnapshotBackup(t *testing.T, c *cloud) {
	volume := c.volume(t, "chain", object{"metadata": object{"tier": "gold"}})
	c.member.cinder("3.64").post(t, "volumev3", "/backups", object{"backup": object{
		"volume_id": volume, "incremental": true, "name": c.name("orphan"),
	}}).refused(t, http.StatusBadRequest, "badRequest")
	var chain []string
	for n, incremental := range []bool{false, true} {
		a := c.member.post(t, "volumev3", "/snapshots", object{"snapshot": object{"volume_id": volume, "name": c.name("link")}}).want(t, http.StatusAccepted)
		snapshot := "/snapshots/" + a.text("snapshot", "id")
		c.member.forget(t, "volumev3", snapshot)
		c.member.until(t, "volumev3", snapshot, []any{"snapshot", "status"}, "available", "creating")
		a = c.member.cinder("3.64").post(t, "volumev3", "/backups", object{"backup": object{
			"volume_id": volume, "snapshot_id": a.text("snapshot", "id"), "incremental": incremental, "force": true,
			"name": c.name("chained"), "metadata": object{"made_for": "contract"},
		}}).want(t, http.StatusAccepted)
		path := "/backups/" + a.text("backup", "id")
		chain = append(chain, path)
		c.member.forget(t, "volumev3", path)
		if status := c.member.get(t, "volumev3", snapshot).want(t, http.StatusOK).text("snapshot", "status"); status != "backing-up" && status != "available" {
			t.Errorf("the snapshot is %q while it is backed up", status)
		}
		c.member.until(t, "volumev3", path, []any{"backup", "status"}, "available", "creating")
		c.member.until(t, "volumev3", snapshot, []any{"snapshot", "status"}, "available", "backing-up")
		a = c.member.cinder("3.64").get(t, "volumev3", path).want(t, http.StatusOK)
		a.equals(t, incremental, "backup", "is_incremental")
		a.equals(t, "contract", "backup", "metadata", "made_for")
		c.member.get(t, "volumev3", chain[0]).want(t, http.StatusOK).equals(t, n == 1, "backup", "has_dependent_backups")
		c.member.delete(t, "volumev3", snapshot).want(t, http.StatusAccepted)
		c.member.untilGone(t, "volumev3", snapshot, []any{"snapshot", "status"}, "deleting")
	}
	c.member.delete(t, "volumev3", chain[0]).refused(t, http.StatusBadRequest, "badRequest")
	c.member.cinder("3.64").put(t, "volumev3", chain[0], object{"backup": object{"metadata": object{"made_for": "later"}}}).want(t, http.StatusOK)
	c.member.cinder("3.64").get(t, "volumev3", chain[0]).want(t, http.StatusOK).equals(t, "later", "backup", "metadata", "made_for")
	made := c.member.cinder("3.64").post(t, "volumev3", "/volumes", object{"volume": object{
		"size": 1, "name": c.name("of-backup"), "backup_id": chain[1][len("/backups/"):], "metadata": object{"own": "1"},
	}}).want(t, http.StatusAccepted)
	path := "/volumes/" + made.text("volume", "id")
	c.member.forget(t, "volumev3", path)
	a := c.member.until(t, "volumev3", path, volumeStatus, "available", "creating", "restoring-backup")
	a.equals(t, c.name("of-backup"), "volume", "name")
	a.equals(t, "gold", "volume", "metadata", "tier")
	a.equals(t, nil, "volume", "metadata", "own")
	a.equals(t, chain[1][len("/backups/"):], "volume", "metadata", "src_backup_id")
	c.member.until(t, "volumev3", chain[1], []any{"backup", "status"}, "available", "restoring")
	for _, b := range []string{chain[1], chain[0]} {
		c.member.delete(t, "volumev3", b).want(t, http.StatusAccepted)
		c.member.untilGone(t, "volumev3", b, []any{"backup", "status"}, "deleting")
	}
}
