package rows

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/karbor/karbor"
)

func FuzzQuickReadingGivesWhatJSONGives(f *testing.F) {
	for _, seed := range []string{
		`[]`, `{}`, `null`, `[{"type":"OS::Nova::Server","id":"x","name":"web","extra_info":{"zone":"nova","rack":"7"}},{"type":"a","id":"b","name":""}]`,
		`[{"type":"a","id":"b","name":"ü"}]`, `[{"type":"a","id":"b","name":"\u00fc"}]`, `[{"id":"1","id":"2"}]`, `[{"ID":"1"}]`, `[{}]`, `[{}]x`, `[{},]`,
		`{"OS::Nova::Server":{"a":"b","c":true,"d":false,"e":null,"f":1.5,"g":["x"]}}`, `{"a":{},"b":{"x":"y"},"a":{}}`, `{"a":null}`, "[{\"id\":\"\xff\"}]",
		`{"a":{"x":truefalse}}`, `[{"extra_info":null}]`, `[{"extra_info":{"a":"1","a":"2"}}]`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		readBothWays[[]karbor.Resource](t, text)
		readBothWays[karbor.Parameters](t, text)
	})
}

func readBothWays[T any](t *testing.T, text string) {
	t.Helper()
	var quick, slow T
	if !quickly(text, &quick) {
		return
	}
	if err := json.Unmarshal([]byte(text), &slow); err != nil {
		t.Fatalf("%q is read quickly, but is no such JSON: %v", text, err)
	}
	if d := cmp.Diff(slow, quick, cmpopts.EquateEmpty()); d != "" {
		t.Errorf("%q (- encoding/json, + quickly):\n%s", text, d)
	}
}

func TestWhatThisPackageWritesIsReadQuickly(t *testing.T) {
	list := []karbor.Resource{{Type: karbor.ServerType, ID: "x", Name: "web, co", ExtraInfo: map[string]string{"zone": "nova"}}}
	parameters := karbor.Parameters{"OS::Nova::Server": {"a": "b", "on": true}}
	for _, v := range []any{list[:0], list, parameters, karbor.Parameters{}} {
		text, err := document{v}.Value()
		if err != nil {
			t.Fatal(err)
		}
		var resources []karbor.Resource
		var read karbor.Parameters
		if !quickly(text.(string), &resources) && !quickly(text.(string), &read) {
			t.Errorf("%s is not", text)
		}
	}
}
