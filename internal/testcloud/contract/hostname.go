package contract

import (
	"net/http"
	"testing"
)

// testHostName chooses what the guest of a server is called, which can be done and seen since 2.90, and with a domain
// since 2.94.
func testHostName(t *testing.T, c *cloud, path string) {
	chosen := func(host string) object { return object{"server": object{"hostname": host}} }
	before, since := c.member.nova("2.89"), c.member.nova("2.90")
	before.put(t, "compute", path, chosen("db-1")).refused(t, http.StatusBadRequest, "badRequest")
	for _, bad := range []string{"d", "-db", "db.example.org", "d b"} {
		since.put(t, "compute", path, chosen(bad)).refused(t, http.StatusBadRequest, "badRequest")
	}
	since.put(t, "compute", path, chosen("db-1")).want(t, http.StatusOK).equals(t, "db-1", "server", "OS-EXT-SRV-ATTR:hostname")
	since.get(t, "compute", path).want(t, http.StatusOK).equals(t, "db-1", "server", "OS-EXT-SRV-ATTR:hostname")
	before.get(t, "compute", path).want(t, http.StatusOK).equals(t, nil, "server", "OS-EXT-SRV-ATTR:hostname")
}
