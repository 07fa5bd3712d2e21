package client_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/client"
)

// A client is made of an endpoint, tokens and an HTTP client. Package keystone gives
// the first two.
func ExampleNew() {
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprint(w, `{"providers": [{"id": "cf56bd3e", "name": "bank"}]}`)
	}))
	defer service.Close()
	c, err := client.New(client.Options{Endpoint: service.URL + "/v1/e486a2f4", Tokens: &tokens{}, HTTP: service.Client()})
	if err != nil {
		fmt.Println(err)
		return
	}
	for p, err := range c.Providers.List(context.Background(), client.ListOptions{}) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(p.Name)
	}
	// Output: bank
}

// What a refusal tells.
func ExampleError() {
	c, stop := refusing(http.StatusConflict, "req-7d1f", `{"conflictingRequest": {"code": 409, "message": "The plan is started."}}`)
	defer stop()
	_, err := c.Plans.Update(context.Background(), "3523a271", client.PlanChange{})
	if e, ok := errors.AsType[*client.Error](err); ok {
		fmt.Println(e.Status, e.RequestID, karbor.KindOf(err) == karbor.Conflict)
	}
	fmt.Println(err)
	// Output:
	// 409 req-7d1f true
	// updating the plan 3523a271: The plan is started.
}

// refusing plays a service that refuses everything, and makes a client of it.
func refusing(status int, request, text string) (*client.Client, func()) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Openstack-Request-Id", request)
		w.WriteHeader(status)
		_, _ = fmt.Fprint(w, text)
	}))
	c, err := client.New(client.Options{Endpoint: server.URL + "/v1/p", Tokens: &tokens{}, HTTP: server.Client()})
	if err != nil {
		fmt.Println(err)
	}
	return c, server.Close
}

// The five newest plans whose name has "shop" in it. An administrator may add
// AllProjects or Project.
func ExampleListOptions() {
	c, stop := answering(`{"plans": [{"id": "3523a271", "name": "shop", "status": "suspended"}, {"id": "9be1", "name": "workshop", "status": "started"}]}`)
	defer stop()
	o := client.ListOptions{Limit: 5, Sort: "created_at:desc", Filters: map[string]string{"name": "shop"}}
	for p, err := range c.Plans.List(context.Background(), o) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(p.Name, p.Status)
	}
	// Output:
	// shop suspended
	// workshop started
}

func ExampleProviders_Show() {
	c, stop := answering(`{"provider": {"id": "cf56bd3e", "name": "bank", "description": "Keeps all the bytes.",
	  "extended_info_schema": {"restore_schema": {"OS::Nova::Server": {"type": "object"}}}}}`)
	defer stop()
	p, err := c.Providers.Show(context.Background(), "cf56bd3e")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(p.Name, string(p.ExtendedInfoSchema["restore_schema"]["OS::Nova::Server"]))
	// Output: bank {"type": "object"}
}

// The servers of the project, and what each depends on.
func ExampleProtectables_Instances() {
	c, stop := answering(`{"instances": [{"id": "64e51e85", "type": "OS::Nova::Server", "name": "web",
	  "dependent_resources": [{"id": "25336116", "type": "OS::Cinder::Volume", "name": "root"}]}]}`)
	defer stop()
	for i, err := range c.Protectables.Instances(context.Background(), karbor.ServerType, nil, client.ListOptions{}) {
		if err != nil {
			fmt.Println(err)
			return
		}
		for _, r := range i.DependentResources {
			fmt.Println(i.Name, "needs the", r.Type.Word(), r.Name)
		}
	}
	// Output: web needs the volume root
}

func ExamplePlans_Create() {
	c, stop := answering(`{"plan": {"id": "3523a271", "name": "shop", "provider_id": "cf56bd3e", "status": "suspended",
	  "resources": [{"type": "OS::Nova::Server", "id": "64e51e85", "name": "web"}], "parameters": {}}}`)
	defer stop()
	p, err := c.Plans.Create(context.Background(), client.PlanRequest{
		Name: "shop", ProviderID: "cf56bd3e",
		Resources: []karbor.Resource{{Type: karbor.ServerType, ID: "64e51e85", Name: "web"}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(p.ID, p.Status)
	// Output: 3523a271 suspended
}

// A started plan is locked against changes; the same request may suspend it.
func ExamplePlans_Update() {
	c, stop := answering(`{"plan": {"id": "3523a271", "name": "shop-2", "status": "suspended"}}`)
	defer stop()
	name, suspended := "shop-2", karbor.PlanSuspended
	p, err := c.Plans.Update(context.Background(), "3523a271", client.PlanChange{Name: &name, Status: &suspended})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(p.Name, p.Status)
	// Output: shop-2 suspended
}

// Protecting a plan, and looking until it is over. A real program waits a little
// between two looks.
func ExampleCheckpoints_Create() {
	c, stop := answering(
		`{"checkpoint": {"id": "dcb20606", "status": "protecting"}}`,
		`{"checkpoint": {"id": "dcb20606", "status": "protecting", "progress": [{"type": "OS::Cinder::Volume", "name": "root",
		  "state": "protecting", "bytes_done": 512, "bytes_total": 1024}]}}`,
		`{"checkpoint": {"id": "dcb20606", "status": "available", "size": 1024}}`)
	defer stop()
	ctx := context.Background()
	cp, err := c.Checkpoints.Create(ctx, "cf56bd3e", client.CheckpointRequest{PlanID: "3523a271"})
	for err == nil && cp.Status == karbor.CheckpointProtecting {
		if cp, err = c.Checkpoints.Show(ctx, "cf56bd3e", cp.ID); err == nil {
			for _, p := range cp.Progress {
				fmt.Println(p.Name, p.BytesDone, "of", p.BytesTotal)
			}
		}
	}
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(cp.Status, cp.Size)
	// Output:
	// root 512 of 1024
	// available 1024
}

// A key of the program's own makes a checkpoint once, however often it is started.
func ExampleWithIdempotencyKey() {
	c, stop := answering(`{"checkpoint": {"id": "dcb20606", "status": "protecting"}}`)
	defer stop()
	ctx := client.WithIdempotencyKey(context.Background(), "release-4.2 shop")
	cp, err := c.Checkpoints.Create(ctx, "cf56bd3e", client.CheckpointRequest{PlanID: "3523a271"})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(cp.ID)
	// Output: dcb20606
}

// The restored server gets a new name; the login for the other cloud is only needed
// with Target.
func ExampleRestores_Create() {
	c, stop := answering(`{"restore": {"id": "101bd74d", "status": "in_progress", "resources_status": {}, "resources_reason": {}}}`)
	defer stop()
	r, err := c.Restores.Create(context.Background(), client.RestoreRequest{
		ProviderID: "cf56bd3e", CheckpointID: "dcb20606",
		Parameters: karbor.Parameters{string(karbor.ServerType): {"restore_name": "web-2"}},
		Target:     "https://other.example/identity/v3",
		Auth:       &client.RestoreAuth{Username: "demo", Password: "…", Others: map[string]string{"project_name": "demo"}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(r.ID, r.Status)
	// Output: 101bd74d in_progress
}

func ExampleVerifications_Create() {
	c, stop := refusing(http.StatusNotImplemented, "req-1", `{"notImplemented": {"code": 501, "message": "The operation verify is not offered."}}`)
	defer stop()
	_, err := c.Verifications.Create(context.Background(), client.VerificationRequest{ProviderID: "cf56bd3e", CheckpointID: "dcb20606"})
	fmt.Println(karbor.KindOf(err) == karbor.NotImplemented)
	// Output: true
}

func ExampleCopies_List() {
	c, stop := answering(`{"copies": [{"id": "77a1", "plan_id": "3523a271", "status": "copying",
	  "checkpoint_id": [{"checkpoint_protect_id": "dcb20606", "checkpoint_copy_id": "e1f0"}]}]}`)
	defer stop()
	for r, err := range c.Copies.List(context.Background(), "cf56bd3e", client.ListOptions{Filters: map[string]string{"status": "copying"}}) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(r.Checkpoints[0].ProtectID, "becomes", r.Checkpoints[0].CopyID)
	}
	// Output: dcb20606 becomes e1f0
}

// What went wrong.
func ExampleOperationLogs_List() {
	c, stop := answering(`{"operation_logs": [{"id": "c0de", "operation_type": "protect", "checkpoint_id": "dcb20606", "status": "error",
	  "error_info": "OS::Cinder::Volume#25336116: the volume has gone"}]}`)
	defer stop()
	for l, err := range c.OperationLogs.List(context.Background(), client.ListOptions{Filters: map[string]string{"status": "error"}}) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(l.OperationType, l.ErrorInfo)
	}
	// Output: protect OS::Cinder::Volume#25336116: the volume has gone
}

func ExampleQuotas_Detail() {
	c, stop := answering(`{"quota": {"id": "e486a2f4", "plans": {"limit": 50, "in_use": 3, "reserved": 0},
	  "checkpoints": {"limit": -1, "in_use": 41, "reserved": 1}, "gigabytes": {"limit": 1000, "in_use": 912, "reserved": 0}}}`)
	defer stop()
	q, err := c.Quotas.Detail(context.Background(), "e486a2f4")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(q.Gigabytes.Limit-q.Gigabytes.InUse, "GiB left;", q.Checkpoints.Limit == client.Unlimited)
	// Output: 88 GiB left; true
}

func ExampleQuotaClasses_Update() {
	c, stop := answering(`{"quota_class": {"id": "default", "plans": 20, "checkpoints": -1, "gigabytes": -1}}`)
	defer stop()
	plans := int64(20)
	q, err := c.QuotaClasses.Update(context.Background(), "default", client.QuotaChange{Plans: &plans})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(q.ID, q.Plans)
	// Output: default 20
}

func ExampleApplicationCredentials_Register() {
	c, stop := answering(`{"application_credential": {"id": "4a2e", "created_at": "2026-11-20T23:00:04Z"}}`)
	defer stop()
	a, err := c.ApplicationCredentials.Register(context.Background(), "4a2e", karbor.Secret("…"))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(a.ID, a.CreatedAt)
	// Output: 4a2e 2026-11-20T23:00:04Z
}
