package cli_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/client"
)

func providers() []map[string]any {
	return []map[string]any{
		{"id": bankID, "name": "bank", "description": "Keeps all the bytes.", "extended_info_schema": map[string]any{}},
		{"id": noopID, "name": "noop", "description": "Keeps nothing.", "extended_info_schema": map[string]any{}},
	}
}

func (f *fake) providers(w http.ResponseWriter, r *http.Request) {
	f.page(w, r, "providers", providers())
}
func (f *fake) provider(w http.ResponseWriter, r *http.Request) { f.one(w, r, "provider", providers()) }

// cloud is what there is to protect.
func cloud() []map[string]any {
	resource := func(t karbor.ResourceType, id, name string) map[string]any {
		return map[string]any{"type": t, "id": id, "name": name, "extra_info": nil}
	}
	volume := resource(karbor.VolumeType, volumeID, "web-root")
	network := resource(karbor.NetworkType, networkID, "web-net")
	web := resource(karbor.ServerType, serverID, "web")
	web["dependent_resources"] = []any{volume, network}
	db := resource(karbor.ServerType, "aaaaaaaa-0000-4000-8000-000000000002", "db")
	db["dependent_resources"] = []any{network}
	twin := resource(karbor.ServerType, "aaaaaaaa-0000-4000-8000-000000000003", "twin")
	other := resource(karbor.ServerType, "aaaaaaaa-0000-4000-8000-000000000004", "twin")
	return []map[string]any{web, db, twin, other, volume, network}
}

func (f *fake) instances(w http.ResponseWriter, r *http.Request) {
	f.page(w, r, "instances", slices.DeleteFunc(cloud(), func(i map[string]any) bool {
		return string(i["type"].(karbor.ResourceType)) != r.PathValue("type")
	}))
}

func (f *fake) instance(w http.ResponseWriter, r *http.Request) { f.one(w, r, "instance", cloud()) }

func (f *fake) createPlan(w http.ResponseWriter, r *http.Request) {
	var body struct{ Plan map[string]any }
	if json.NewDecoder(r.Body).Decode(&body) != nil {
		refuse(w, http.StatusBadRequest, "badRequest", "the body is not JSON")
		return
	}
	plan := body.Plan
	plan["id"], plan["status"] = newID(len(f.plans)+1), "suspended"
	if plan["description"] == nil {
		plan["description"] = ""
	}
	f.plans = append(f.plans, plan)
	reply(w, map[string]any{"plan": plan})
}

func (f *fake) updatePlan(w http.ResponseWriter, r *http.Request) {
	var body struct{ Plan map[string]any }
	_ = json.NewDecoder(r.Body).Decode(&body)
	if plan := f.byID(r.PathValue("id"), f.plans); plan != nil {
		maps.Copy(plan, body.Plan)
	}
	f.one(w, r, "plan", f.plans)
}

func (f *fake) deletePlan(w http.ResponseWriter, r *http.Request) {
	if f.byID(r.PathValue("id"), f.plans) == nil {
		f.one(w, r, "plan", f.plans)
		return
	}
	f.plans = slices.DeleteFunc(f.plans, func(p map[string]any) bool { return p["id"] == r.PathValue("id") })
}

func (f *fake) createCheckpoint(w http.ResponseWriter, r *http.Request) {
	var body struct {
		Checkpoint struct {
			PlanID    string         `json:"plan_id"`
			ExtraInfo map[string]any `json:"extra_info"`
		}
	}
	_ = json.NewDecoder(r.Body).Decode(&body)
	plan := f.byID(body.Checkpoint.PlanID, f.plans)
	if plan == nil || plan["provider_id"] != r.PathValue("provider") {
		refuse(w, http.StatusBadRequest, "badRequest", "plan_id: there is no such plan of this provider")
		return
	}
	extra, _ := json.Marshal(body.Checkpoint.ExtraInfo)
	g := &karbor.Graph{}
	web := g.Add(karbor.Resource{Type: karbor.ServerType, ID: serverID, Name: "web"}, "")
	g.Connect(web, g.Add(karbor.Resource{Type: karbor.VolumeType, ID: volumeID, Name: "web-root"}, ""))
	g.Connect(web, g.Add(karbor.Resource{Type: karbor.NetworkType, ID: networkID, Name: "web-net"}, ""))
	db := g.Add(karbor.Resource{Type: karbor.ServerType, ID: "aaaaaaaa-0000-4000-8000-000000000002", Name: "db"}, "")
	g.Connect(db, g.Node(karbor.MakeNodeKey(karbor.Resource{Type: karbor.NetworkType, ID: networkID}, "")))
	text, _ := g.MarshalText()
	cp := map[string]any{"id": newID(100 + len(f.checkpoints)), "project_id": projectID, "status": "protecting",
		"protection_plan": map[string]any{"id": plan["id"], "name": plan["name"], "provider_id": bankID, "resources": plan["resources"]},
		"resource_graph":  string(text), "created_at": "2026-01-02", "extra_info": string(extra)}
	f.checkpoints = append(f.checkpoints, cp)
	reply(w, map[string]any{"checkpoint": cp})
}

// stage brings an operation on and gives the progress of its one volume.
func (f *fake) stage(item map[string]any, done, good, failed string) {
	id := item["id"].(string)
	f.stages[id]++
	p := map[string]any{"type": karbor.VolumeType, "id": volumeID, "name": "web-root", "state": karbor.ResourceProtecting,
		"phase": "main", "bytes_done": 0, "bytes_total": 1 << 30, "reason": ""}
	switch n := f.stages[id]; {
	case n == 1:
	case n < 4:
		p["bytes_done"] = n << 28
	case f.bad:
		p["state"], p["phase"], p["reason"] = karbor.ResourceError, "", "the volume has gone"
		item["status"] = failed
		item[done] = map[string]string{string(karbor.VolumeType) + "#" + volumeID: "the volume has gone"}
	default:
		p["state"], p["phase"], p["bytes_done"] = karbor.ResourceAvailable, "", 1<<30
		item["status"] = good
		if good == "available" {
			item["figures"] = map[string]any{string(karbor.VolumeType) + "#" + volumeID: map[string]int{"size": 1 << 30, "new": 20 << 20, "stored": 12 << 20}}
		}
	}
	item["progress"] = []any{p}
}

func (f *fake) checkpoint(w http.ResponseWriter, r *http.Request) {
	if cp := f.byID(r.PathValue("id"), f.checkpoints); cp != nil && r.PathValue("provider") == bankID {
		if r.Header.Get("OpenStack-API-Version") != "data-protect "+client.Microversion {
			refuse(w, http.StatusNotAcceptable, "notAcceptable", "the story needs "+client.Microversion)
			return
		}
		if cp["status"] == "protecting" {
			f.stage(cp, "reasons", "available", "error")
		}
		f.one(w, r, "checkpoint", f.checkpoints)
		return
	}
	refuse(w, http.StatusNotFound, "itemNotFound", "there is no checkpoint "+r.PathValue("id"))
}

func (f *fake) createRestore(w http.ResponseWriter, r *http.Request) {
	var body struct{ Restore map[string]any }
	_ = json.NewDecoder(r.Body).Decode(&body)
	restore := body.Restore
	if auth, _ := restore["restore_auth"].(map[string]any); auth["region_name"] != nil && auth["region_name"] != "RegionOne" {
		refuse(w, http.StatusBadRequest, "badRequest", fmt.Sprintf("the cloud has no services in a region %q, but in %q", auth["region_name"], "RegionOne"))
		return
	}
	delete(restore, "restore_auth")
	if restore["dry_run"] == true {
		findings := []any{}
		if chosen, _ := restore["resources"].([]any); len(chosen) > 0 && chosen[0] != string(karbor.ServerType)+"#"+serverID {
			findings = append(findings, map[string]any{"severity": "error", "resource": chosen[0],
				"message": "there is no flavor like that", "remedy": "Map the flavor."})
		}
		reply(w, map[string]any{"preflight": map[string]any{"ready": len(findings) == 0, "findings": findings}})
		return
	}
	restore["id"], restore["status"], restore["project_id"] = newID(200+len(f.restores)), "in_progress", projectID
	restore["resources_status"], restore["resources_reason"] = map[string]any{}, map[string]any{}
	if restore["in_place"] == true {
		restore["safety_checkpoint_id"] = newID(109)
	}
	f.restores = append(f.restores, restore)
	reply(w, map[string]any{"restore": restore})
}

func (f *fake) restore(w http.ResponseWriter, r *http.Request) {
	if restore := f.byID(r.PathValue("id"), f.restores); restore != nil && restore["status"] == "in_progress" {
		f.stage(restore, "resources_reason", "success", "fail")
	}
	f.one(w, r, "restore", f.restores)
}

func (f *fake) registerCredential(w http.ResponseWriter, r *http.Request) {
	var body struct {
		ApplicationCredential struct{ ID, Secret string } `json:"application_credential"`
	}
	_ = json.NewDecoder(r.Body).Decode(&body)
	if body.ApplicationCredential.Secret != password {
		refuse(w, http.StatusBadRequest, "badRequest", "Keystone refuses the application credential")
		return
	}
	f.registered = body.ApplicationCredential.ID
	f.credential(w, r)
}

func (f *fake) credential(w http.ResponseWriter, _ *http.Request) {
	if f.registered == "" {
		refuse(w, http.StatusNotFound, "itemNotFound", "You have registered no application credential in this project.")
		return
	}
	reply(w, map[string]any{"application_credential": map[string]any{"id": f.registered, "created_at": "2026-01-02T03:04:05Z"}})
}
