package config

import (
	"strings"
	"testing"
	"time"
)

func TestUpkeepHasBounds(t *testing.T) {
	c := Default()
	c.Keystone.AuthURL, c.Keystone.PasswordFile = "http://k/v3", "p"
	if err := c.Check(); err != nil {
		t.Fatal(err)
	}
	c.Upkeep = Upkeep{Interval: time.Second, Tombstones: time.Minute}
	err := c.Check()
	if err == nil || !strings.Contains(err.Error(), "upkeep.interval: ") || !strings.Contains(err.Error(), "upkeep.tombstones: ") {
		t.Errorf("got %v", err)
	}
}
