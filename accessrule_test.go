package karbor_test

import (
	"strings"
	"testing"
	"time"

	"github.com/karbor/karbor"
)

func TestAccessRulesAllowWhatTheirPathsMatch(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		pattern, path string
		want          bool
	}{
		{"/v1/p/plans", "/v1/p/plans", true},
		{"/v1/p/plans", "/v1/p/plans/x", false},
		{"/v1/p/plans", "/v1/p/plan", false},
		{"/v1/*/plans", "/v1/p/plans", true},
		{"/v1/*/plans", "/v1//plans", false},
		{"/v1/*/plans", "/v1/a/b/plans", false},
		{"/v1/{project_id}/plans/{id}", "/v1/p/plans/x", true},
		{"/v1/{project_id}/plans/{id}", "/v1/p/plans/x/y", false},
		{"/v1/**", "/v1/p/plans/x", true},
		{"/v1/**", "/v1/", true},
		{"/v1/**", "/v1", false},
		{"**", "/", true},
		{"**/plans", "/v1/p/plans", true},
		{"**/plans", "/v1/p/restores", false},
		{"/v1/**/plans/*", "/v1/p/q/plans/x", true},
		{"/v1/p/pl*", "/v1/p/plans", true},
		{"/v1/p/.*", "/v1/p/plans", false},
		{"/v1/p/{broken", "/v1/p/x", false},
		{"", "", true},
		{"", "/v1", false},
	} {
		r := karbor.AccessRule{Service: "data-protect", Method: "GET", Path: tt.pattern}
		if got := r.Allows("data-protect", "GET", tt.path); got != tt.want {
			t.Errorf("%q allows %q: %v, want %v", tt.pattern, tt.path, got, tt.want)
		}
		if r.Allows("compute", "GET", tt.path) || r.Allows("data-protect", "PUT", tt.path) {
			t.Errorf("%q allows another service or method", tt.pattern)
		}
	}
}

func TestAHostilePatternTakesNoLongTime(t *testing.T) {
	t.Parallel()
	r := karbor.AccessRule{Path: strings.Repeat("**a", 80) + "b"}
	start := time.Now()
	if r.Allows("", "", strings.Repeat("a", 2000)) {
		t.Error("it matches")
	}
	if took := time.Since(start); took > 2*time.Second {
		t.Errorf("it took %v", took)
	}
}
