package output

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor"
)

func TestTreeDrawsSharedResourcesOnce(t *testing.T) {
	g := &karbor.Graph{}
	add := func(ty karbor.ResourceType, id, name string) *karbor.Node {
		return g.Add(karbor.Resource{Type: ty, ID: id, Name: name}, "")
	}
	a, b := add(karbor.ServerType, "1", "a"), add(karbor.ServerType, "2", "")
	net, vol := add(karbor.NetworkType, "3", "net"), add(karbor.VolumeType, "4", "4")
	g.Connect(a, net)
	g.Connect(a, vol)
	g.Connect(b, net)
	var out bytes.Buffer
	err := Tree(&out, "plan", g, func(r karbor.Resource) string {
		if r.ID == "3" {
			return "noted"
		}
		return ""
	})
	want := "plan\n├── server a (1)\n│   ├── network net (3)  noted\n│   └── volume 4\n└── server 2\n    └── network net (3)  (as above)\n"
	if diff := cmp.Diff(want, out.String()); diff != "" || err != nil {
		t.Errorf("error %v (-want +got):\n%s", err, diff)
	}
}

func TestFormatsKeepWhatTheAPISaid(t *testing.T) {
	type item struct {
		ID   string            `json:"id"`
		HTML string            `json:"the_text"`
		Map  map[string]string `json:"map"`
		None *int              `json:"none"`
	}
	items := []item{{ID: "1", HTML: "<a>&", Map: map[string]string{"k": "v"}}}
	for format, want := range map[string]string{
		"json":  "[\n  {\n    \"id\": \"1\",\n    \"the_text\": \"<a>&\",\n    \"map\": {\n      \"k\": \"v\"\n    },\n    \"none\": null\n  }\n]\n",
		"csv":   "Id,The text,Map,None\n1,<a>&,\"{\"\"k\"\":\"\"v\"\"}\",\n",
		"value": "1 <a>& {\"k\":\"v\"} \n",
	} {
		var out bytes.Buffer
		err := List(Printer{Out: &out, Format: format}, items, "id", "the_text", "map", "none")
		if diff := cmp.Diff(want, out.String()); diff != "" || err != nil {
			t.Errorf("%s: error %v (-want +got):\n%s", format, err, diff)
		}
	}
	if err := List(Printer{Out: &bytes.Buffer{}, Format: "json"}, []int{1}); err == nil {
		t.Error("an item without members is no error")
	}
}

func TestAMemberThatNoItemHasNowIsAColumnAllTheSame(t *testing.T) {
	type item struct {
		ID      string            `json:"id"`
		Reasons map[string]string `json:"reasons,omitempty"`
	}
	var out strings.Builder
	p := Printer{Out: &out, Format: "json", Columns: []string{"reasons"}}
	if err := errors.Join(p.Show(item{ID: "1"}), List(p, []item{}, "id")); err != nil {
		t.Error(err)
	}
	if want := "{\n  \"reasons\": null\n}\n[]\n"; out.String() != want {
		t.Errorf("printed %q, want %q", out.String(), want)
	}
	p.Columns = []string{"colour"}
	if err := List(p, []item{}, "id"); err == nil {
		t.Error("an unknown column is no error")
	}
}
