package nova

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/karbor/karbor/internal/testcloud/fabric"
)

// view is a server as the caller's microversion shows it.
func (n *Nova) view(r *fabric.Request, s Server) object {
	o := object{
		"id": s.ID, "name": s.Name, "status": s.status(), "tenant_id": s.ProjectID, "user_id": s.UserID,
		"metadata": s.Metadata, "hostId": s.hostID(), "image": "", "links": links(r, "servers", s.ID),
		"created": fabric.Seconds(s.CreatedAt), "updated": fabric.Seconds(s.UpdatedAt),
		"addresses": n.addresses(s.ID, true), "accessIPv4": s.AccessIPv4, "accessIPv6": s.AccessIPv6,
		"OS-DCF:diskConfig": s.diskConfig(), "OS-EXT-AZ:availability_zone": "", "config_drive": "", "key_name": nil,
		"OS-SRV-USG:launched_at": nil, "OS-SRV-USG:terminated_at": nil,
		"OS-EXT-STS:task_state": nil, "OS-EXT-STS:vm_state": s.State, "OS-EXT-STS:power_state": powers[s.State],
		"os-extended-volumes:volumes_attached": volumesOf(r, s),
	}
	if s.ImageID != "" {
		o["image"] = object{"id": s.ImageID, "links": bookmark(r, "images", s.ImageID)}
	}
	if s.KeyName != "" {
		o["key_name"] = s.KeyName
	}
	if s.ConfigDrive {
		o["config_drive"] = "True"
	}
	if s.Task != "" {
		o["OS-EXT-STS:task_state"] = strings.TrimSuffix(s.Task, "_hard")
	}
	if s.State != building && s.State != failed {
		o["OS-EXT-AZ:availability_zone"] = s.place().zone
	}
	if !s.LaunchedAt.IsZero() {
		o["OS-SRV-USG:launched_at"] = fabric.Micros(s.LaunchedAt)
	}
	if s.State == active || s.State == building {
		o["progress"] = 0
	}
	if groups := n.groupNames(s); len(groups) > 0 {
		o["security_groups"] = groups
	}
	if s.Fault != nil && s.State == failed {
		o["fault"] = object{"code": http.StatusInternalServerError, "created": fabric.Seconds(s.Fault.At), "message": s.Fault.Message}
	}
	viewFlavor(r, s, o)
	n.viewLater(r, s, o)
	return o
}

// diskConfig is who divides the disk: Nova, or the guest.
func (s *Server) diskConfig() string {
	if s.DiskConfig == "" {
		return "MANUAL"
	}
	return s.DiskConfig
}

func viewFlavor(r *fabric.Request, s Server, o object) {
	if r.Version.AtLeast(2, 47) {
		o["flavor"] = object{
			"vcpus": s.Flavor.VCPUs, "ram": s.Flavor.RAM, "disk": s.Flavor.Disk,
			"ephemeral": s.Flavor.Ephemeral, "swap": s.Flavor.Swap,
			"original_name": s.Flavor.Name, "extra_specs": s.Flavor.ExtraSpecs,
		}
		return
	}
	o["flavor"] = object{"id": s.Flavor.ID, "links": bookmark(r, "flavors", s.Flavor.ID)}
}

// viewLater adds what later microversions and administrators see.
func (n *Nova) viewLater(r *fabric.Request, s Server, o object) {
	for _, later := range []struct {
		minor int
		name  string
		value any
	}{
		{9, "locked", s.Locked}, {19, "description", s.Description}, {26, "tags", s.Tags},
		{63, "trusted_image_certificates", nil}, {71, "server_groups", n.groupsOf(s)},
		{73, "locked_reason", nil}, {90, "OS-EXT-SRV-ATTR:hostname", s.Hostname},
	} {
		if r.Version.AtLeast(2, later.minor) {
			o[later.name] = later.value
		}
	}
	if !r.Admin() {
		return
	}
	placed := any(s.place().host)
	if s.State == building {
		placed = nil
	}
	o["OS-EXT-SRV-ATTR:host"], o["OS-EXT-SRV-ATTR:hypervisor_hostname"] = placed, placed
	o["OS-EXT-SRV-ATTR:instance_name"] = "instance-" + s.ID[:8]
	if !r.Version.AtLeast(2, 3) {
		return
	}
	o["OS-EXT-SRV-ATTR:reservation_id"], o["OS-EXT-SRV-ATTR:launch_index"] = "r-"+s.ID[:8], 0
	o["OS-EXT-SRV-ATTR:hostname"], o["OS-EXT-SRV-ATTR:root_device_name"] = s.Hostname, "/dev/vda"
	o["OS-EXT-SRV-ATTR:kernel_id"], o["OS-EXT-SRV-ATTR:ramdisk_id"] = "", ""
	o["OS-EXT-SRV-ATTR:user_data"] = nil
	if s.UserData != "" {
		o["OS-EXT-SRV-ATTR:user_data"] = s.UserData
	}
	if r.Version.AtLeast(2, 16) {
		o["host_status"] = "UP"
	}
}

func volumesOf(r *fabric.Request, s Server) []object {
	list := []object{}
	for _, d := range s.Devices {
		if d.VolumeID == "" {
			continue
		}
		o := object{"id": d.VolumeID}
		if r.Version.AtLeast(2, 3) {
			o["delete_on_termination"] = d.DeleteOnEnd
		}
		list = append(list, o)
	}
	return list
}

func (n *Nova) groupNames(s Server) []object {
	var names []object
	for _, g := range n.networks.GroupsOf(s.ID) {
		names = append(names, object{"name": g.Name})
	}
	return names
}

// addresses are a server's, by network.
func (n *Nova) addresses(id string, full bool) object {
	all := object{}
	for _, a := range n.networks.Addresses(id) {
		o := object{"version": a.Version, "addr": a.IP}
		if full {
			o["OS-EXT-IPS:type"], o["OS-EXT-IPS-MAC:mac_addr"] = a.Type, a.MAC
		}
		list, _ := all[a.Network].([]object)
		all[a.Network] = append(list, o)
	}
	return all
}

func links(r *fabric.Request, kind, id string) []object {
	return append([]object{{"rel": "self", "href": r.Base() + root + "/" + kind + "/" + id}}, bookmark(r, kind, id)...)
}

func bookmark(r *fabric.Request, kind, id string) []object {
	return []object{{"rel": "bookmark", "href": r.Base() + "/compute/" + kind + "/" + id}}
}

// list answers a list of servers, newest first.
func (n *Nova) list(detail bool) fabric.Handler {
	return func(r *fabric.Request) error {
		query := r.URL.Query()
		all := r.Flag("all_tenants") || query.Get("all_tenants") != "" && !slices.Contains([]string{"0", "False", "false"}, query.Get("all_tenants"))
		if all && !r.Admin() {
			return denied("servers:detail:get_all_tenants")
		}
		keep, err := n.filter(r, all, query)
		if err != nil {
			return err
		}
		servers := n.servers.List(keep)
		slices.Reverse(servers)
		sortServers(servers, query)
		limit, err := r.Int("limit", 1000)
		if err != nil {
			return err
		}
		if marker := query.Get("marker"); marker != "" {
			at := slices.IndexFunc(servers, func(s Server) bool { return s.ID == marker })
			if at < 0 {
				return fabric.BadRequest("marker [%s] not found", marker)
			}
			servers = servers[at+1:]
		}
		more := len(servers) >= limit && limit > 0
		if more {
			servers = servers[:limit]
		}
		return r.JSON(http.StatusOK, n.page(r, servers, detail, more))
	}
}

func (n *Nova) page(r *fabric.Request, servers []Server, detail, more bool) object {
	shown := []object{}
	for _, s := range servers {
		if detail {
			shown = append(shown, n.view(r, s))
		} else {
			shown = append(shown, object{"id": s.ID, "name": s.Name, "links": links(r, "servers", s.ID)})
		}
	}
	body := object{"servers": shown}
	if more {
		query := maps.Clone(r.URL.Query())
		query.Set("marker", servers[len(servers)-1].ID)
		body["servers_links"] = []object{{"rel": "next", "href": r.Base() + r.URL.Path + "?" + query.Encode()}}
	}
	return body
}

// filter makes the test for the query's filters; unknown ones are ignored, as
// Nova does.
func (n *Nova) filter(r *fabric.Request, all bool, query url.Values) (func(Server) bool, error) {
	name, err := regexp.Compile(query.Get("name"))
	if err != nil {
		return nil, fabric.BadRequest("Invalid input for query parameters name. Value: %s.", query.Get("name"))
	}
	var since time.Time
	if text := query.Get("changes-since"); text != "" {
		if since, err = time.Parse(time.RFC3339, text); err != nil {
			return nil, fabric.BadRequest("Invalid filter field: changes-since.")
		}
	}
	project := ""
	if !all {
		project = r.ProjectID
	} else if project = query.Get("project_id"); project == "" {
		project = query.Get("tenant_id")
	}
	is := func(key, value string) bool { return query.Get(key) == "" || query.Get(key) == value }
	return func(s Server) bool {
		ok := (project == "" || s.ProjectID == project) && name.MatchString(s.Name) && !s.UpdatedAt.Before(since) &&
			is("image", s.ImageID) && is("flavor", s.Flavor.ID) && is("uuid", s.ID) && is("user_id", s.UserID) &&
			is("key_name", s.KeyName) && (query.Get("status") == "" || strings.EqualFold(query.Get("status"), s.status()))
		for key, want := range map[string]bool{"tags": true, "not-tags": false} {
			for tag := range strings.SplitSeq(query.Get(key), ",") {
				ok = ok && (tag == "" || slices.Contains(s.Tags, tag) == want)
			}
		}
		marked := func(tag string) bool { return slices.Contains(s.Tags, tag) }
		if wanted := query.Get("tags-any"); wanted != "" {
			ok = ok && slices.ContainsFunc(strings.Split(wanted, ","), marked)
		}
		return ok
	}, nil
}

func sortServers(servers []Server, query url.Values) {
	key := query.Get("sort_key")
	of := func(s Server) string {
		switch key {
		case "display_name", "name":
			return s.Name
		case "created_at":
			return strconv.FormatInt(s.CreatedAt.UnixNano(), 10)
		case "updated_at":
			return strconv.FormatInt(s.UpdatedAt.UnixNano(), 10)
		default:
			return fmt.Sprint(s.ID)
		}
	}
	if key == "" {
		return
	}
	slices.SortStableFunc(servers, func(a, b Server) int {
		if c := strings.Compare(of(a), of(b)); query.Get("sort_dir") == "asc" {
			return c
		} else {
			return -c
		}
	})
}
