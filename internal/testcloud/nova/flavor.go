package nova

import (
	"fmt"
	"maps"
	"net/http"
	"strconv"

	"github.com/karbor/karbor/internal/testcloud/fabric"
)

// Flavor is a size of servers: memory and swap in MiB, disks in GiB.
type Flavor struct {
	ID, Name         string
	RAM, Disk, VCPUs int
	Ephemeral, Swap  int
	Public           bool
	ExtraSpecs       map[string]string
}

// Flavor tells another service of a flavor by its id: its name and its memory in MiB.
func (n *Nova) Flavor(id string) (name string, memory int, ok bool) {
	f, ok := n.flavors.Get(id)
	return f.Name, f.RAM, ok
}

func (n *Nova) flavorRoutes() {
	path := root + "/flavors"
	n.Handle("GET "+path, n.flavorList(false))
	n.Handle("GET "+path+"/detail", n.flavorList(true))
	n.Handle("POST "+path, n.createFlavor)
	n.Handle("GET "+path+"/{flavor}", n.withFlavor(func(r *fabric.Request, f Flavor) error {
		return r.JSON(http.StatusOK, object{"flavor": f.view(r)})
	}))
	n.Handle("DELETE "+path+"/{flavor}", n.withFlavor(func(r *fabric.Request, f Flavor) error {
		if !r.Admin() {
			return denied("os-flavor-manage:delete")
		}
		n.flavors.Delete(f.ID)
		return r.Empty(http.StatusAccepted)
	}))
	n.Handle("GET "+path+"/{flavor}/os-extra_specs", n.withFlavor(func(r *fabric.Request, f Flavor) error {
		return r.JSON(http.StatusOK, object{"extra_specs": f.ExtraSpecs})
	}))
	n.Handle("POST "+path+"/{flavor}/os-extra_specs", n.withFlavor(n.setExtraSpecs))
}

func (n *Nova) withFlavor(h func(*fabric.Request, Flavor) error) fabric.Handler {
	return func(r *fabric.Request) error {
		f, ok := n.flavors.Get(r.PathValue("flavor"))
		if !ok {
			return fabric.NotFound("Flavor %s could not be found.", r.PathValue("flavor"))
		}
		return h(r, f)
	}
}

func (f Flavor) view(r *fabric.Request) object {
	o := object{
		"id": f.ID, "name": f.Name, "ram": f.RAM, "disk": f.Disk, "vcpus": f.VCPUs, "swap": "",
		"OS-FLV-EXT-DATA:ephemeral": f.Ephemeral, "OS-FLV-DISABLED:disabled": false, "os-flavor-access:is_public": f.Public,
		"rxtx_factor": 1.0, "links": links(r, "flavors", f.ID),
	}
	if r.Version.AtLeast(2, 55) {
		o["description"] = nil
	}
	if r.Version.AtLeast(2, 61) {
		o["extra_specs"] = f.ExtraSpecs
	}
	if f.Swap > 0 || r.Version.AtLeast(2, 75) {
		o["swap"] = f.Swap
	}
	return o
}

func (n *Nova) flavorList(detail bool) fabric.Handler {
	return func(r *fabric.Request) error {
		least := func(name string) int {
			v, err := strconv.Atoi(r.URL.Query().Get(name))
			if err != nil {
				return 0
			}
			return v
		}
		list := []object{}
		marker := r.URL.Query().Get("marker")
		for _, f := range n.flavors.List(nil) {
			if marker != "" {
				if f.ID == marker {
					marker = ""
				}
				continue
			}
			if f.Disk < least("minDisk") || f.RAM < least("minRam") || least("limit") > 0 && len(list) == least("limit") {
				continue
			}
			if detail {
				list = append(list, f.view(r))
			} else {
				list = append(list, object{"id": f.ID, "name": f.Name, "links": links(r, "flavors", f.ID)})
			}
		}
		return r.JSON(http.StatusOK, object{"flavors": list})
	}
}

func (n *Nova) createFlavor(r *fabric.Request) error {
	if !r.Admin() {
		return denied("os-flavor-manage:create")
	}
	var body struct {
		Flavor struct {
			ID     any    `json:"id"`
			Name   string `json:"name"`
			RAM    int    `json:"ram"`
			Disk   int    `json:"disk"`
			VCPUs  int    `json:"vcpus"`
			Public *bool  `json:"os-flavor-access:is_public"`
			// Ephemeral is another disk of the server's.
			Ephemeral int `json:"OS-FLV-EXT-DATA:ephemeral"`
			Swap      int `json:"swap"`
		} `json:"flavor"`
	}
	if err := r.Decode(&body); err != nil {
		return err
	}
	want := body.Flavor
	f := Flavor{ID: fmt.Sprint(want.ID), Name: want.Name, RAM: want.RAM, Disk: want.Disk, VCPUs: want.VCPUs,
		Ephemeral: want.Ephemeral, Swap: want.Swap,
		Public: want.Public == nil || *want.Public, ExtraSpecs: map[string]string{}}
	if want.ID == nil || want.ID == "auto" || want.ID == "" {
		f.ID = fabric.NewID()
	}
	err := n.fab.Atomic(func() error {
		if _, ok := n.flavors.Get(f.ID); ok {
			return fabric.Conflict("Flavor with ID %s already exists.", f.ID)
		}
		n.flavors.Put(f.ID, f)
		return nil
	})
	if err != nil {
		return err
	}
	return r.JSON(http.StatusOK, object{"flavor": f.view(r)})
}

func (n *Nova) setExtraSpecs(r *fabric.Request, f Flavor) error {
	if !r.Admin() {
		return denied("os-flavor-extra-specs:create")
	}
	var body struct {
		ExtraSpecs map[string]string `json:"extra_specs"`
	}
	if err := r.Decode(&body); err != nil {
		return err
	}
	f, _, err := n.flavors.Update(f.ID, func(f *Flavor) error {
		if f.ExtraSpecs == nil {
			f.ExtraSpecs = map[string]string{}
		}
		maps.Copy(f.ExtraSpecs, body.ExtraSpecs)
		return nil
	})
	if err != nil {
		return err
	}
	return r.JSON(http.StatusOK, object{"extra_specs": f.ExtraSpecs})
}
