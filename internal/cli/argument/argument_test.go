package argument

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/cli/exit"
)

func TestParseResourcesReadsThePythonForm(t *testing.T) {
	got, err := Resources(`a=OS::Nova::Server=web; b=volume=data={"k":"v,w;x"},`)
	want := []karbor.Resource{{ID: "a", Type: karbor.ServerType, Name: "web"},
		{ID: "b", Type: karbor.VolumeType, Name: "data", ExtraInfo: map[string]string{"k": "v,w;x"}}}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("error %v (-want +got):\n%s", err, diff)
	}
	for _, bad := range []string{"a", "a=server", "a=server=", "=server=n", "a=tank=n", "a=server=n=x", `a=server=n={"k":1}`} {
		if got, err := Resources(bad); !exit.IsUsage(err) {
			t.Errorf("%q: %v, error %v", bad, got, err)
		}
	}
}

func TestParseParametersMergesAllForms(t *testing.T) {
	got, err := Parameters([]string{"resource_type=server,restore_name=n", "resource_type=OS::Nova::Server,a:=[1]",
		"resource_id=i,resource_type=volume,k=x=y", `{"OS::Glance::Image":{"m":null}}`}, `{"OS::Nova::Server":{"restore_name":"last"}}`)
	want := karbor.Parameters{
		"OS::Nova::Server":     {"restore_name": "last", "a": []any{1.0}},
		"OS::Cinder::Volume#i": {"k": "x=y"},
		"OS::Glance::Image":    {"m": nil},
	}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("error %v (-want +got):\n%s", err, diff)
	}
	for _, bad := range []string{"", "k=v", "resource_type=tank,k=v", "resource_type=server,k", "resource_type=server,k:={", `{"a":1}`, "{"} {
		if got, err := Parameters([]string{bad}, ""); !exit.IsUsage(err) {
			t.Errorf("%q: %v, error %v", bad, got, err)
		}
	}
}

func TestSplitTypeKnowsFullNamesAndWords(t *testing.T) {
	for text, want := range map[string]string{"server:web": "web", "OS::Nova::Server:web:n": "web:n", "SERVER:a:b": "a:b"} {
		if ty, rest, err := SplitType(text); ty != karbor.ServerType || rest != want || err != nil {
			t.Errorf("%q: %s %q, error %v", text, ty, rest, err)
		}
	}
	for _, bad := range []string{"", "server", "server:", "tank:x", "OS::Nova::Server:"} {
		if _, _, err := SplitType(bad); !exit.IsUsage(err) {
			t.Errorf("%q: error %v", bad, err)
		}
	}
}

func FuzzArgumentsNeverMakeAnIncompleteResource(f *testing.F) {
	f.Add(`a=server=web={"k":"v"},b=volume=x`)
	f.Add("resource_type=server,k:=1")
	f.Fuzz(func(t *testing.T, text string) {
		resources, err := Resources(text)
		for _, r := range resources {
			if err == nil && (r.ID == "" || r.Name == "" || !r.Type.Known()) {
				t.Errorf("%q gives %+v", text, r)
			}
		}
		if p, err := Parameters([]string{text}, ""); err != nil && p != nil {
			t.Errorf("%q gives %v with an error", text, p)
		}
	})
}
