package failure

import (
	"fmt"
	"strings"
	"testing"
)

func TestRequestIsFollowedThroughTheLogOfItsOperation(t *testing.T) {
	s := newSite(t)
	u := s.tenant("demo")
	plan := u.plan(imageProvider, u.image("disk", 100<<10))
	for _, global := range []string{"", "req-01234567-89ab-4cde-8123-456789abcdef"} {
		t.Run("global id "+global, func(t *testing.T) {
			s.hold(moment{method: "GET", path: ofBytes})
			a := u.ask("POST", checkpoints(imageProvider), fmt.Sprintf(`{"checkpoint": {"plan_id": %q}}`, plan), "X-Openstack-Request-Id", global)
			own := a.header.Get("X-Openstack-Request-Id")
			id := a.body["checkpoint"].(map[string]any)["id"].(string)
			s.struck(1)
			s.kill()
			s.cloud.Faults().Clear()
			s.fault(answering("GET", ofBytes, 409, 1))
			s.start()
			u.settled(imageProvider, id)
			s.cloud.Faults().Clear()
			operation := u.logOf("protect", "checkpoint_id", id)["id"].(string)
			want := map[string]string{"operation accepted": own, "is tried again": own, "operation ended": own}
			if global != "" {
				want["is tried again"], want["operation ended"] = global, global
			}
			for what, request := range want {
				lines := s.grep("operation=" + operation)
				found := ""
				for _, line := range lines {
					if strings.Contains(line, what) {
						found = line
					}
				}
				if !strings.Contains(found, request) {
					t.Errorf("%q is logged as %q, without %s", what, found, request)
				}
			}
		})
	}
}
