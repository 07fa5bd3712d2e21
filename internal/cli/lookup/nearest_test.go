package lookup

import "testing"

func TestNearestFindsSlipsAndNothingElse(t *testing.T) {
	for _, tt := range []struct{ word, want string }{
		{"plna", "plan"}, {"Plan", "plan"}, {"provder", "provider"}, {"sched", "scheduledoperation"}, {"p", ""}, {"xyz", ""}, {"", ""},
		{"triggr", "trigger"}, {"restores", "restore"},
	} {
		if got := Nearest(tt.word, []string{"plan", "provider", "restore", "trigger", "scheduledoperation", ""}); got != tt.want {
			t.Errorf("%q gives %q, want %q", tt.word, got, tt.want)
		}
	}
}
