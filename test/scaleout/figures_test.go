//go:build temporal && figures

package scaleout

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/config"
	"github.com/karbor/karbor/internal/daemon"
)

var (
	checkpoints = flag.Int("checkpoints", 1000, "no-op checkpoints of 3 resources, on each engine")
	nodes       = flag.Int("nodes", 5000, "resources of the large plan")
	takeovers   = flag.Int("takeovers", 10, "processes that are killed in mid-transfer")
	clients     = flag.Int("clients", 8, "checkpoints that are asked for at a time")
)

// figures prints the rows of the table.
type figures struct{ rows []string }

func (f *figures) add(what, goal, seen string) {
	f.rows = append(f.rows, fmt.Sprintf("| %s | %s | %s | %s |", what, goal, seen, machineLoad()))
}

// machineLoad is the load average of the last minute.
func machineLoad() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "?"
	}
	load, _, _ := strings.Cut(string(text), " ")
	return load
}

// TestFiguresOfFlows measures; it fails for wrong outcomes alone.
func TestFiguresOfFlows(t *testing.T) {
	var f figures
	t.Cleanup(func() {
		t.Log("figures:\n| what | goal | seen | load |\n|---|---|---|---|\n" + strings.Join(f.rows, "\n"))
	})
	sqlite := func(c *config.Config) {
		c.Engine.Type, c.Database = config.LocalEngine, config.Default().Database
	}
	for _, engine := range []struct {
		name, goal string
		edit       func(*config.Config)
	}{
		{"local engine with SQLite", "≤ 5 ms", sqlite},
		{"local engine with PostgreSQL", "≤ 5 ms", func(c *config.Config) { c.Engine.Type = config.LocalEngine }},
		{"Temporal with PostgreSQL", "≤ 25 ms", func(*config.Config) {}},
	} {
		t.Run(engine.name, func(t *testing.T) { measureCheckpoints(t, &f, engine.name, engine.goal, engine.edit) })
		t.Run(engine.name+" and a large plan", func(t *testing.T) { measureLargePlan(t, &f, engine.name, engine.edit) })
		t.Run(engine.name+" and two projects", func(t *testing.T) { measureFairness(t, &f, engine.name, engine.edit) })
	}
	t.Run("take-over", func(t *testing.T) { measureTakeOver(t, &f) })
}

// used is the CPU time of a process in user space and in the kernel, and its largest and
// present resident memory in MiB.
func (p *process) used() (cpu time.Duration, peak, now int) {
	p.s.t.Helper()
	read := func(name string) string {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", p.cmd.Process.Pid, name))
		if err != nil {
			p.s.t.Fatal(err)
		}
		return string(text)
	}
	_, rest, _ := strings.Cut(read("stat"), ") ")
	fields := strings.Fields(rest)
	for _, field := range fields[11:13] {
		ticks, _ := strconv.Atoi(field)
		cpu += time.Duration(ticks) * 10 * time.Millisecond
	}
	for line := range strings.Lines(read("status")) {
		name, value, _ := strings.Cut(line, ":")
		kib, _ := strconv.Atoi(strings.TrimSuffix(strings.TrimSpace(value), " kB"))
		switch name {
		case "VmHWM":
			peak = kib >> 10
		case "VmRSS":
			now = kib >> 10
		}
	}
	return cpu, peak, now
}

// noopPlan makes a plan of things that need not be there.
func (u *tenant) noopPlan(n int) string { return u.idlePlan(noopProvider, n) }

// idlePlan is noopPlan for a provider that does nothing.
func (u *tenant) idlePlan(provider string, n int) string {
	u.t.Helper()
	resources := make([]map[string]string, n)
	for i := range resources {
		resources[i] = map[string]string{"id": karbor.NewID(), "type": "OS::Cinder::Volume", "name": strconv.Itoa(i)}
	}
	plan := u.ask("POST", "/plans", map[string]any{"plan": map[string]any{
		"name": "p", "provider_id": provider, "parameters": map[string]any{}, "resources": resources}}, "plan")
	return plan["id"].(string)
}

func (u *tenant) noopCheckpoint(plan string, patience time.Duration) {
	u.t.Helper()
	u.idleCheckpoint(noopProvider, plan, patience)
}

func (u *tenant) idleCheckpoint(provider, plan string, patience time.Duration) {
	u.t.Helper()
	path := "/providers/" + provider + "/checkpoints"
	id := u.ask("POST", path, map[string]any{"checkpoint": map[string]any{"plan_id": plan}}, "checkpoint")["id"].(string)
	for end := time.Now().Add(patience); ; {
		switch status := u.ask("GET", path+"/"+id, nil, "checkpoint")["status"]; {
		case status == "available":
			return
		case status != "protecting", time.Now().After(end):
			u.t.Fatalf("the checkpoint is %s", status)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func measureCheckpoints(t *testing.T, f *figures, name, goal string, edit func(*config.Config)) {
	s := newSite(t)
	p := s.start("all", daemon.AllRoles(), edit)
	u := s.tenant()
	plan := u.noopPlan(3)
	u.noopCheckpoint(plan, patience) // warm
	before, _, _ := p.used()
	begun, left := time.Now(), make(chan struct{}, *checkpoints)
	for range *checkpoints {
		left <- struct{}{}
	}
	close(left)
	var all sync.WaitGroup
	for range *clients {
		all.Go(func() {
			for range left {
				u.noopCheckpoint(plan, patience)
			}
		})
	}
	all.Wait()
	took := time.Since(begun)
	cpu, peak, _ := p.used()
	each := float64((cpu - before).Microseconds()) / 1000 / float64(*checkpoints)
	f.add(fmt.Sprintf("CPU of a no-op checkpoint of 3 resources, %s (%d, %d at a time, with their requests)", name, *checkpoints, *clients),
		goal, fmt.Sprintf("%.1f ms", each))
	f.add("… checkpoints a minute, "+name, "", fmt.Sprintf("%.0f", float64(*checkpoints)/took.Minutes()))
	f.add("… largest resident memory, "+name, "", fmt.Sprintf("%d MiB", peak))
}

func measureLargePlan(t *testing.T, f *figures, name string, edit func(*config.Config)) {
	s := newSite(t)
	p := s.start("all", daemon.AllRoles(), edit, func(c *config.Config) { c.API.Limits.BodyBytes = 16 << 20 })
	u := s.tenant()
	plan := u.idlePlan(emptyProvider, *nodes)
	before, _, idle := p.used()
	begun := time.Now()
	u.idleCheckpoint(emptyProvider, plan, 10*time.Minute)
	took := time.Since(begun)
	after, peak, _ := p.used()
	f.add(fmt.Sprintf("a checkpoint of %d resources with one empty hook each, %s", *nodes, name), "", took.Round(10*time.Millisecond).String())
	f.add("… CPU of each resource, "+name, "", ((after - before) / time.Duration(*nodes)).Round(10*time.Microsecond).String())
	f.add("… largest resident memory (before the checkpoint), "+name, "", fmt.Sprintf("%d MiB (%d)", peak, idle))
}

func measureTakeOver(t *testing.T, f *figures) {
	s := newSite(t)
	s.start("api", roleAPI)
	u := s.tenant()
	plan := u.plan()
	var took []time.Duration
	worker := s.start("worker0", roleProtection)
	for i := range *takeovers {
		s.hold()
		id := u.protect(plan)
		s.await("the transfer", func() bool { return s.held() > 0 })
		next := s.start(fmt.Sprint("worker", i+1), roleProtection)
		lost, held := time.Now(), s.held()
		worker.tell(syscall.SIGKILL)
		s.await("the other process's transfer", func() bool { return s.held() > held })
		took = append(took, time.Since(lost))
		s.cloud.Faults().Clear()
		u.available(id)
		worker = next
	}
	slices.Sort(took)
	f.add(fmt.Sprintf("take-over after SIGKILL, median of %d", len(took)), "≤ 30 s", took[len(took)/2].Round(100*time.Millisecond).String())
	f.add("… the longest", "≤ 30 s", took[len(took)-1].Round(100*time.Millisecond).String())
}
