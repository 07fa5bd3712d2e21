package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/client"
)

func TestScheduleRequestsHaveTheContractsBodies(t *testing.T) {
	var method, path string
	var sent any
	c, _ := open(t, func(w http.ResponseWriter, r *http.Request) {
		method, path, sent = r.Method, r.URL.RequestURI(), nil
		if r.Method == http.MethodPost || r.Method == http.MethodPut {
			sent = body(t, r)
		}
		_, _ = io.WriteString(w, `{"trigger_info":{},"scheduled_operation":{},"service":{},"triggers":[],"operations":[],"services":[]}`)
	})
	name := "n"
	daily := karbor.TriggerProperties{Format: karbor.Crontab, Pattern: "0 2 * * *", Window: 900 * time.Second,
		StartTime: time.Date(2026, 12, 1, 1, 0, 0, 0, time.FixedZone("", 3600)), EndTime: time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)}
	definition := karbor.OperationDefinition{PlanID: "p", ProviderID: "b", MaxBackups: 3}
	for _, test := range []struct {
		do                 func() error
		method, path, body string
	}{
		{func() error {
			_, err := c.Triggers.Create(t.Context(), client.TriggerRequest{Name: "n", Properties: daily})
			return err
		}, "POST", "/v1/p/triggers", `{"trigger_info":{"name":"n","type":"time","properties":{"format":"crontab","pattern":"0 2 * * *",
			"start_time":"2026-12-01 00:00:00","end_time":"2027-01-01 00:00:00","window":"900"}}}`},
		{func() error {
			_, err := c.Triggers.Update(t.Context(), "a/b", client.TriggerChange{Name: &name})
			return err
		}, "PUT", "/v1/p/triggers/a%2Fb", `{"trigger_info":{"name":"n"}}`},
		{func() error {
			_, err := c.Triggers.Update(t.Context(), "1", client.TriggerChange{Properties: &karbor.TriggerProperties{Format: "calendar", Pattern: "x"}})
			return err
		}, "PUT", "/v1/p/triggers/1", `{"trigger_info":{"properties":{"format":"calendar","pattern":"x"}}}`},
		{func() error { return c.Triggers.Delete(t.Context(), "1") }, "DELETE", "/v1/p/triggers/1", `null`},
		{func() error {
			for _, err := range c.Triggers.List(t.Context(), client.ListOptions{Filters: map[string]string{"name": "x"}}) {
				return err
			}
			return nil
		}, "GET", "/v1/p/triggers?name=x", `null`},
		{func() error {
			_, err := c.ScheduledOperations.Create(t.Context(), client.ScheduledOperationRequest{Name: "n", OperationType: karbor.ScheduledRetention,
				TriggerID: "t", OperationDefinition: definition})
			return err
		}, "POST", "/v1/p/scheduled_operations", `{"scheduled_operation":{"name":"n","operation_type":"retention_protect","trigger_id":"t",
			"operation_definition":{"plan_id":"p","provider_id":"b","max_backups":"3"}}}`},
		{func() error { return c.ScheduledOperations.Delete(t.Context(), "1") }, "DELETE", "/v1/p/scheduled_operations/1", `null`},
		{func() error {
			for _, err := range c.ScheduledOperations.List(t.Context(), client.ListOptions{}) {
				return err
			}
			return nil
		}, "GET", "/v1/p/scheduled_operations", `null`},
		{func() error { _, err := c.Services.Enable(t.Context(), 7); return err }, "PUT", "/v1/p/os-services/7", `{"status":"enabled"}`},
		{func() error { _, err := c.Services.Disable(t.Context(), 7, ""); return err }, "PUT", "/v1/p/os-services/7", `{"status":"disabled"}`},
		{func() error { _, err := c.Services.Disable(t.Context(), 7, "why"); return err }, "PUT", "/v1/p/os-services/7",
			`{"status":"disabled","disabled_reason":"why"}`},
		{func() error {
			for _, err := range c.Services.List(t.Context(), client.ListOptions{Filters: map[string]string{"host": "h", "binary": ""}}) {
				return err
			}
			return nil
		}, "GET", "/v1/p/os-services?host=h", `null`},
	} {
		if err := test.do(); err != nil {
			t.Errorf("%s: %v", test.path, err)
		}
		var want any
		if err := json.Unmarshal([]byte(test.body), &want); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, sent); diff != "" || method != test.method || path != test.path {
			t.Errorf("%s %s, not %s %s; body (-want +got):\n%s", method, path, test.method, test.path, diff)
		}
	}
}

func TestSchedulesComeBackWhole(t *testing.T) {
	c, _ := open(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"trigger_info":{"id":"1","name":"n","type":"time","properties":{"format":"crontab","pattern":"0 2 * * *",
			"start_time":"2026-12-01 00:00:00","window":"900"}},"scheduled_operation":{"id":"2","name":"n","description":null,"operation_type":"protect",
			"trigger_id":"1","operation_definition":{"plan_id":"p","provider_id":"b","max_backups":"3","retention_duration":"30"},"enabled":true}}`)
	})
	trigger, err := c.Triggers.Show(t.Context(), "1")
	want := karbor.TriggerProperties{Format: karbor.Crontab, Pattern: "0 2 * * *", StartTime: time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC), Window: 900 * time.Second}
	if diff := cmp.Diff(want, trigger.Properties); diff != "" || err != nil {
		t.Errorf("error %v (-want +got):\n%s", err, diff)
	}
	o, err := c.ScheduledOperations.Show(t.Context(), "2")
	if diff := cmp.Diff(karbor.OperationDefinition{PlanID: "p", ProviderID: "b", MaxBackups: 3, RetentionDuration: 30}, o.OperationDefinition); diff != "" || err != nil || !o.Enabled {
		t.Errorf("%+v, error %v (-want +got):\n%s", o, err, diff)
	}
}

// answering plays a service that gives the answers one after another, and makes a
// client of it.
func answering(answers ...string) (*client.Client, func()) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		text := answers[0]
		answers = answers[1:]
		if strings.Contains(text, "failedDependency") {
			w.WriteHeader(http.StatusFailedDependency)
		}
		_, _ = io.WriteString(w, text)
	}))
	c, err := client.New(client.Options{Endpoint: server.URL + "/v1/p", Tokens: &tokens{}, HTTP: server.Client()})
	if err != nil {
		fmt.Println(err)
	}
	return c, server.Close
}

// Every night at 02:00 UTC, the plan is protected and the seven newest checkpoints
// are kept.
func ExampleScheduledOperations_Create() {
	c, stop := answering(
		`{"trigger_info": {"id": "9f3aa2c1", "name": "nightly", "type": "time", "properties": {"format": "crontab", "pattern": "0 2 * * *"}}}`,
		`{"scheduled_operation": {"id": "51ad1f2e", "name": "shop, every night", "operation_type": "retention_protect", "trigger_id": "9f3aa2c1",
		  "operation_definition": {"plan_id": "3523a271", "provider_id": "cf56bd3e", "max_backups": "7"}, "enabled": true}}`)
	defer stop()
	ctx := context.Background()
	trigger, err := c.Triggers.Create(ctx, client.TriggerRequest{Name: "nightly",
		Properties: karbor.TriggerProperties{Format: karbor.Crontab, Pattern: "0 2 * * *"}})
	if err != nil {
		fmt.Println(err)
		return
	}
	o, err := c.ScheduledOperations.Create(ctx, client.ScheduledOperationRequest{
		Name: "shop, every night", OperationType: karbor.ScheduledRetention, TriggerID: trigger.ID,
		OperationDefinition: karbor.OperationDefinition{PlanID: "3523a271", ProviderID: "cf56bd3e", MaxBackups: 7},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(o.ID, o.OperationDefinition.MaxBackups)
	// Output: 51ad1f2e 7
}

func ExampleTriggers_Delete() {
	c, stop := answering(`{"failedDependency": {"code": 424, "message": "the trigger 9f3aa2c1 is used by a scheduled operation: delete it first"}}`)
	defer stop()
	err := c.Triggers.Delete(context.Background(), "9f3aa2c1")
	if e, ok := errors.AsType[*client.Error](err); ok && e.Err.Kind == karbor.FailedDependency {
		fmt.Println(e)
	}
	// Output: the trigger 9f3aa2c1 is used by a scheduled operation: delete it first
}

func ExampleServices_List() {
	c, stop := answering(`{"services": [{"id": 1, "binary": "karbor-protection", "host": "controller1", "status": "enabled", "state": "up",
	  "updated_at": "2026-11-20T23:00:04Z", "disabled_reason": null}]}`)
	defer stop()
	for s, err := range c.Services.List(context.Background(), client.ListOptions{}) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(s.ID, s.Binary, s.Host, s.Status, s.State)
	}
	// Output: 1 karbor-protection controller1 enabled up
}
