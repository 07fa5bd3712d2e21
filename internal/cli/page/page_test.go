package page

import (
	"errors"
	"strings"
	"testing"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/client"
)

// sample is a report with something of everything.
func sample() client.Compliance {
	n := func(v int64) *int64 { return &v }
	far, absent := "far", "the cloud offers no share service here"
	good := &client.GoodCheckpoint{ID: "c99ad067-e5e2-4770-8547-78fd54139b50", DataFrom: "2026-11-20T03:00:12Z", Copies: []string{"far", "tape"}}
	row := func(t karbor.ResourceType, name, verdict string, change func(*client.ComplianceResource)) client.ComplianceResource {
		r := client.ComplianceResource{
			Type: t, ID: "7a5c8b1e-2f3d-4c5b-9a6e-1d2c3b4a5f60", Name: name, Verdict: verdict, Findings: []string{verdict},
			Plans:      []client.CompliancePlan{{Name: "shop", Through: "direct"}},
			RPOSeconds: n(86400), AllowedSeconds: n(87300), AgeSeconds: n(32460), Checkpoint: good,
			LastVerified: &client.ComplianceVerified{At: "2026-11-20T04:00:00Z", Depth: "full"},
			LastDrill:    &client.ComplianceDrill{At: "2026-11-19T04:00:00Z", Verdict: "passed", RTOSeconds: n(95)},
		}
		change(&r)
		return r
	}
	same := func(*client.ComplianceResource) {}
	return client.Compliance{
		ProjectID: "11111111111111111111111111111111", CreatedAt: "2026-11-20T12:00:00Z", BackTo: "2024-01-01T00:00:00Z", Total: 5,
		Verdicts: map[string]int{"kept": 1, "late": 1, "unprotected": 1, "unverified": 1, "gone_for_good": 1},
		Types: []client.ComplianceType{
			{Type: karbor.ServerType, State: "listed", Count: 2}, {Type: karbor.ShareType, State: "absent", Reason: &absent},
		},
		Resources: []client.ComplianceResource{
			row(karbor.ServerType, "web", "kept", same),
			row(karbor.ServerType, "<script>alert(1)</script>", "late", func(r *client.ComplianceResource) {
				r.Findings, r.AgeSeconds = []string{"late", "unverified"}, n(273600)
				r.LastVerified, r.LastDrill.RTOSeconds = nil, nil
				r.Plans = append(r.Plans, client.CompliancePlan{Name: "everything", Through: "project"})
			}),
			row(karbor.VolumeType, "scratch", "unprotected", func(r *client.ComplianceResource) {
				*r = client.ComplianceResource{Type: r.Type, ID: r.ID, Name: r.Name, Verdict: r.Verdict, Findings: r.Findings}
			}),
			row(karbor.VolumeType, "web-root", "unverified", func(r *client.ComplianceResource) {
				r.Checkpoint = &client.GoodCheckpoint{ID: good.ID, DataFrom: good.DataFrom, Bank: &far}
				r.Plans[0].Through, r.LastVerified, r.LastDrill, r.RPOSeconds = "dependency", nil, nil, nil
			}),
			row(karbor.NetworkType, "n", "gone_for_good", same),
		},
		Unmade: []client.UnmadeRun{{Name: "nightly", ScheduledOperationID: "x", OperationType: "retention_protect", ExpectedAt: "2026-11-18T03:00:00Z",
			State: "dropped_out_of_window", Reason: "no operation engine was running within its window"}},
	}
}

func TestThePageTellsWhatTheReportHas(t *testing.T) {
	var out strings.Builder
	if err := Compliance(&out, "demo", sample()); err != nil {
		t.Fatal(err)
	}
	text := out.String()
	for _, want := range []string{
		"<h1>Protection of demo</h1>", "5 resources", "Checkpoints from before 2024-01-01 00:00:00 UTC were not looked at.",
		`<b>1</b> late</li>`, `<b>1</b> gone for good</li>`, "&lt;script&gt;alert(1)&lt;/script&gt;", "3d 4h", "every 1d", "copies: far, tape",
		"in the bank far", "shop, everything (by project)", "shop (by dependency)", "ready after 1m 35s", "<small>unverified</small>",
		"OS::Manila::Share: the cloud offers no share service here", "dropped out of window", "retention protect",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the page has no %q", want)
		}
	}
	for _, never := range []string{"<script", "http:", "https:", "src=", "url("} {
		if strings.Contains(text, never) {
			t.Errorf("the page has %q", never)
		}
	}
	if strings.Index(text, "unprotected</li>") > strings.Index(text, "late</li>") {
		t.Error("the worst does not come first")
	}
}

func TestAnEmptyReportIsAPage(t *testing.T) {
	var out strings.Builder
	if err := Compliance(&out, "", client.Compliance{ProjectID: "p"}); err != nil || !strings.Contains(out.String(), "<h1>Protection of p</h1>") {
		t.Errorf("%v: %s", err, out.String())
	}
}

// full is a disk that takes nothing.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("no space left") }

func TestAPageThatCannotBeWrittenIsAnError(t *testing.T) {
	if err := Compliance(full{}, "demo", sample()); err == nil || !strings.Contains(err.Error(), "no space left") {
		t.Errorf("error is %v", err)
	}
}
