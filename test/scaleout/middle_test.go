//go:build temporal && !multihost

package scaleout

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/karbor/karbor/internal/config"
)

const mib = 1 << 20

// mostTransferAfterCancel is how long a transfer may go on that was cancelled (docs/tenants/cancelling.md).
const mostTransferAfterCancel = 10 * time.Second

// anew is how much of a stream may be stored once more by who takes it over (docs/operators/scale-out.md): about
// 128 MiB that no index names yet, and the packs of 32 MiB that fill up or are on their way meanwhile.
const anew = 128*mib + 3*32*mib

// middle is a checkpoint that is being made, and is held in the middle of an image's bytes.
type middle struct {
	*tenant
	vault      gates
	checkpoint string
}

// newMiddle prepares a site, whose processes are started afterwards.
func newMiddle(s *site) *middle {
	s.t.Helper()
	s.provide("vault", vaultFile)
	return &middle{tenant: s.tenant(), vault: gates(filepath.Join(s.dir, "vault.gates"))}
}

// begin makes a checkpoint of an image of a size until so much of it is stored.
func (m *middle) begin(size, stored int64) {
	m.t.Helper()
	plan := m.planIn(vaultProvider, m.large(size))
	m.vault.shut(m.site, writeGate, stored)
	m.checkpoint = m.protectIn(vaultProvider, plan)
	m.await("the middle of the transfer", func() bool { return len(m.vault.noted(writeGate+".stopped")) > 0 })
}

// large makes an image of bytes that nothing else has.
func (u *tenant) large(size int64) string {
	u.t.Helper()
	var made struct{ ID string }
	a := u.cloud.Do(u.t, u.token, "POST", "/image/v2/images", map[string]any{"name": "disk", "disk_format": "raw", "container_format": "bare"})
	if err := json.Unmarshal(a.Body, &made); err != nil {
		u.t.Fatal(err)
	}
	data := io.LimitReader(rand.NewChaCha8([32]byte([]byte(made.ID)[:32])), size)
	put := u.cloud.Do(u.t, u.token, "PUT", "/image/v2/images/"+made.ID+"/file", data, "Content-Type", "application/octet-stream")
	if put.Status/100 != 2 {
		u.t.Fatalf("uploading: %d %s", put.Status, put.Body)
	}
	return made.ID
}

// event is one of a stream.
type event struct {
	name      string
	operation map[string]any
}

// follow opens the stream of events of an operation. It ends with the channel.
func (u *tenant) follow(operation string) <-chan event {
	u.t.Helper()
	req, err := http.NewRequestWithContext(u.t.Context(), http.MethodGet, u.api+"/v1/"+u.project+"/operations/"+operation+"/events", nil)
	if err != nil {
		u.t.Fatal(err)
	}
	req.Header.Set("X-Auth-Token", u.token)
	req.Header.Set("OpenStack-API-Version", "data-protect 1.4")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		u.t.Fatal(err)
	}
	if kind := res.Header.Get("Content-Type"); res.StatusCode != http.StatusOK || kind != "text/event-stream" {
		u.t.Fatalf("following %s: %d, %s", operation, res.StatusCode, kind)
	}
	u.t.Cleanup(func() { _ = res.Body.Close() })
	events := make(chan event, 1000) // so that nobody waits for who reads no more
	go func() {
		defer close(events)
		var e event
		for lines := bufio.NewScanner(res.Body); lines.Scan(); {
			if name, ok := strings.CutPrefix(lines.Text(), "event: "); ok {
				e.name = name
			}
			if text, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
				var data map[string]map[string]any
				if err := json.Unmarshal([]byte(text), &data); err != nil {
					e.name = "no JSON: " + text
				}
				e.operation = data["operation"]
				events <- e
				e = event{}
			}
		}
	}()
	return events
}

// next gives the next event; ok is false at the end.
func (u *tenant) next(events <-chan event) (e event, ok bool) {
	u.t.Helper()
	select {
	case e, ok = <-events:
	case <-time.After(patience):
		u.t.Fatal("no event came, and no end")
	}
	return e, ok
}

// engines are the settings of each engine.
var engines = map[string]func(*config.Config){config.LocalEngine: localEngine, config.TemporalEngine: func(*config.Config) {}}

func TestEventsTellOfATransferAndOfItsEnd(t *testing.T) {
	for name, engine := range engines {
		t.Run(name, func(t *testing.T) {
			m := newMiddle(newSite(t))
			m.start("api", roleAPI, engine)
			m.start("one", roleProtection, engine)
			m.begin(384*mib, 32*mib) // a transfer has at most 256 MiB on its way
			events := m.follow(m.checkpoint)
			for {
				e, ok := m.next(events)
				if !ok || e.name != "progress" || e.operation["state"] != "running" {
					t.Fatalf("in the middle came %v, %t", e, ok)
				}
				if done, total := e.operation["bytes_done"].(float64), e.operation["bytes_total"].(float64); done > 0 {
					if done >= total || total != 384*mib {
						t.Errorf("in the middle %v of %v bytes are done", done, total)
					}
					break
				}
			}
			m.vault.open(m.site, writeGate)
			last := event{}
			for e, ok := m.next(events); ok; e, ok = m.next(events) {
				if last = e; e.name != "progress" && e.name != "end" {
					t.Errorf("there is an event %v", e)
				}
			}
			if last.name != "end" || last.operation["state"] != "over" || last.operation["status"] != "available" {
				t.Errorf("the last event is %v", last)
			}
		})
	}
}

func TestCancelStopsATransferInTime(t *testing.T) {
	for name, engine := range engines {
		t.Run(name, func(t *testing.T) {
			m := newMiddle(newSite(t))
			m.start("api", roleAPI, engine)
			m.start("one", roleProtection, engine)
			m.begin(96*mib, 32*mib)
			had := m.inventory("images")
			asked := time.Now()
			m.ask("POST", "/operations/"+m.checkpoint+"/action", map[string]any{"cancel": map[string]any{"reason": "the wrong plan"}}, "operation")
			m.await("the transfer's end", func() bool { return len(m.vault.noted(writeGate+".left")) > 0 })
			took := time.Since(asked)
			t.Logf("the transfer ended after %s", took)
			if took > mostTransferAfterCancel {
				t.Errorf("the transfer went on for %s", took)
			}
			m.over("/providers/"+vaultProvider+"/checkpoints/"+m.checkpoint, "checkpoint", "error")
			why := m.ask("GET", "/operations/"+m.checkpoint, nil, "operation")["cancelled"]
			if text := fmt.Sprint(why); !strings.Contains(text, "cancelled by") || !strings.Contains(text, "the wrong plan") {
				t.Errorf("why it was cancelled: %v", why)
			}
			m.await("the trusts to be given back", func() bool { return len(m.inventory("trusts")) == 0 })
			if now := m.inventory("images"); len(now) != len(had) {
				t.Errorf("the cloud had the images %v, and has %v", had, now)
			}
			m.vault.open(m.site, writeGate)
			m.ask("DELETE", "/providers/"+vaultProvider+"/checkpoints/"+m.checkpoint, nil, "")
			m.await("the deletion", func() bool { return len(m.listedIn(vaultProvider)) == 0 })
		})
	}
}

// TestTakeOverInTheMiddleOfAStreamStoresLittleAnew kills a worker late in a large image. The other one reads it from
// the beginning, but stores again only what no index of the bank named yet.
func TestTakeOverInTheMiddleOfAStreamStoresLittleAnew(t *testing.T) {
	// The last index is written after four packs of 32 MiB, and again after eight.
	const size, until = 400 * mib, 300 * mib
	m := newMiddle(newSite(t))
	m.start("api", roleAPI)
	one := m.start("one", roleProtection)
	m.begin(size, until)
	m.start("two", roleProtection)
	lost := m.vault.stored()
	stopped := len(m.vault.noted(writeGate + ".stopped"))
	one.end(syscall.SIGKILL)
	m.await("the other worker to come to what is not in the bank", func() bool { return len(m.vault.noted(writeGate+".stopped")) > stopped })
	if now := m.vault.stored(); now != lost {
		t.Errorf("behind the gate are %d bytes, and were %d", now, lost)
	}
	m.vault.open(m.site, writeGate)
	m.availableIn(vaultProvider, m.checkpoint)
	again := m.vault.stored() - size
	t.Logf("%d MiB were stored before the kill, and %d MiB once more", lost/mib, again/mib)
	if again > anew {
		t.Errorf("of the %d MiB that were stored %d MiB were stored once more", lost/mib, again/mib)
	}
	m.verified(m.verifying(vaultProvider, m.checkpoint))
}
