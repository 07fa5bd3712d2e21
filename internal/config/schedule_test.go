package config

import (
	"strings"
	"testing"
	"time"
)

func TestLimitsOfTriggersAndReportsOfServicesAreChecked(t *testing.T) {
	c, err := Load(write(t, enough+"triggers: {min_interval: 60s, min_window: 5s, max_window: 30s}\nservices: {host: h1, report_interval: 1s, down_time: 2s}\n"))
	if err != nil {
		t.Fatal(err)
	}
	if c.Triggers != (Triggers{5 * time.Second, 30 * time.Second, time.Minute}) || c.Services != (Services{"h1", time.Second, 2 * time.Second}) {
		t.Errorf("got %+v and %+v", c.Triggers, c.Services)
	}
	if c, err = Load(write(t, enough)); err != nil || c.Triggers.MinWindow != 900*time.Second || c.Triggers.MaxWindow != 1800*time.Second ||
		c.Triggers.MinInterval != 3600*time.Second || c.Services.DownTime != time.Minute {
		t.Errorf("the defaults are %+v and %+v, %v", c.Triggers, c.Services, err)
	}
	for text, want := range map[string]string{
		"triggers: {min_window: 0s}":                         "triggers.min_window: ",
		"triggers: {min_window: 1500ms}":                     "triggers.min_window: ",
		"triggers: {max_window: 10m}":                        "triggers.max_window: 10m0s is less than triggers.min_window, 15m0s",
		"triggers: {min_interval: 59s}":                      "triggers.min_interval: ",
		"services: {report_interval: 0s}":                    "services.report_interval: ",
		"services: {down_time: 19s}":                         "services.down_time: 19s is less than twice services.report_interval, 10s",
		"services: {host: " + strings.Repeat("h", 256) + "}": "services.host: ",
	} {
		if _, err := Load(write(t, enough+text+"\n")); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want one with %q", text, err, want)
		}
	}
}
