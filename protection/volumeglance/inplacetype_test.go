package volumeglance_test

import (
	"strings"
	"testing"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/protection"
	"github.com/karbor/karbor/protection/volumeglance"
)

func TestVolumeOfATypeThatIsNotRestoredInPlaceIsRefusedBeforeAnythingIsTouched(t *testing.T) {
	h := newHung(t)
	for types, refused := range map[string]bool{"[nfs, standard]": true, "[nfs]": false} {
		t.Run(types, func(t *testing.T) {
			hooks := openWith(t, "{poll_interval: 2ms, timeout: 20s, types_not_in_place: "+types+"}").Hooks(protection.InPlace, karbor.VolumeType)
			look := *h.call
			forecast, err := hooks.Preflight(t.Context(), &look)
			told := err == nil && len(forecast.Findings) > 0 && strings.Contains(forecast.Findings[0].Message, `type "standard"`)
			if err != nil || told != refused {
				t.Errorf("foreseen is %+v, %v", forecast, err)
			}
			if !refused {
				return
			}
			err = h.single.Run(t, hooks.PrepareBegin, h.call)
			if karbor.KindOf(err) != karbor.Conflict || karbor.IsTransient(err) || !strings.Contains(err.Error(), "restore it to a new one") {
				t.Errorf("it ends with %v", err)
			}
			s := h.tenant.Show(t, "compute", "servers/"+h.server, "server")
			v := h.tenant.Show(t, "volume", "volumes/"+h.volume, "volume")
			if s["status"] != "ACTIVE" || v["status"] != "in-use" {
				t.Errorf("the server is %v, and the volume %v", s["status"], v["status"])
			}
		})
	}
}

func TestTypesThatAreNotRestoredInPlaceHaveNames(t *testing.T) {
	o := volumeglance.Options{PollInterval: 1, Timeout: 1, TypesNotInPlace: []string{"nfs"}}
	if err := o.Validate(); err != nil {
		t.Error(err)
	}
	o.TypesNotInPlace = append(o.TypesNotInPlace, "")
	if err := o.Validate(); err == nil || !strings.Contains(err.Error(), "types_not_in_place") {
		t.Errorf("a type without a name gives %v", err)
	}
}
