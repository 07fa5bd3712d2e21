package provider_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor/bank"
	"github.com/karbor/karbor/bank/banktest"
	"github.com/karbor/karbor/internal/checkpoint/upkeep"
	"github.com/karbor/karbor/internal/repository/verification"
)

func TestUpkeepOfAFileIsRead(t *testing.T) {
	memory := func() (bank.Bank, error) { return banktest.NewMemory(), nil }
	const all = `
upkeep:
  collect: false
  only: true
  after: 10m
  every: 7d
  hours: 22:00-06:00
  time_zone: Europe/Berlin
  max_rewrite: 10GiB
  rate: 100MiB
  verify: {every: 30d, for: 90m, depth: stored, rate: 50MiB}
`
	providers, err := load(t, good+all, memory, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	got := providers[0].Upkeep()
	if hours := got.Hours.String(); hours != "22:00-06:00 Europe/Berlin" {
		t.Errorf("hours %s", hours)
	}
	got.Hours = upkeep.Hours{}
	want := upkeep.Policy{Off: true, Only: true, After: 10 * time.Minute, Every: 7 * 24 * time.Hour, MaxRewrite: 10 << 30, BytesPerSecond: 100 << 20,
		Verify: upkeep.Verify{Every: 30 * 24 * time.Hour, For: 90 * time.Minute, Depth: verification.Stored, BytesPerSecond: 50 << 20}}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(upkeep.Hours{})); diff != "" {
		t.Error(diff)
	}
	if err := providers[0].Close(); err != nil {
		t.Error(err)
	}
	for text, want := range map[string]string{
		"upkeep: {after: soon}":              "line 5: upkeep.after: \"soon\"",
		"upkeep: {every: 1m}":                "line 5: upkeep.every: ",
		"upkeep: {every: -3d}":               "line 5: upkeep.every: ",
		"upkeep: {rate: fast}":               "line 5: upkeep.rate: ",
		"upkeep: {rate: 0}":                  "line 5: upkeep.rate: ",
		"upkeep: {hours: night}":             "line 5: upkeep.hours: ",
		"upkeep: {time_zone: UTC}":           "line 5: upkeep.time_zone: ",
		"upkeep:\n  verify: {depth: deeper}": "line 6: upkeep.verify.depth: ",
		"upkeep:\n  verify: {every: 1h}":     "line 6: upkeep.verify.every: ",
		"upkeep: {other: 1}":                 "other",
	} {
		if _, err := load(t, good+text+"\n", memory, time.Now); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
}
