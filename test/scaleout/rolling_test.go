//go:build temporal

package scaleout

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/karbor/karbor"
)

// load asks for checkpoints, one after the other, of whichever API answers.
type load struct {
	u    *tenant
	plan string
	stop chan struct{}
	over sync.WaitGroup

	mu sync.Mutex
	// apis are the addresses that take requests.
	apis []string
	// ids are the checkpoints that were promised, refused how often no API took a request.
	ids     []string
	refused int
	failure error
}

// serve says which addresses take requests.
func (l *load) serve(addresses ...string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.apis = addresses
}

func (l *load) run() {
	for i := 0; ; i++ {
		select {
		case <-l.stop:
			return
		case <-time.After(100 * time.Millisecond):
		}
		id, err := l.ask(i)
		l.mu.Lock()
		if l.failure = err; id != "" {
			l.ids = append(l.ids, id)
		}
		l.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// ask asks for one checkpoint. A request that gets no answer is repeated elsewhere, under
// its key, as clients do behind a load balancer.
func (l *load) ask(i int) (string, error) {
	key := karbor.NewID()
	for try := range 50 {
		l.mu.Lock()
		api := l.apis[(i+try)%len(l.apis)]
		l.mu.Unlock()
		id, again, err := l.post(api, key)
		if !again {
			return id, err
		}
		l.mu.Lock()
		l.refused++
		l.mu.Unlock()
	}
	return "", fmt.Errorf("no API takes request %d", i)
}

func (l *load) post(api, key string) (id string, again bool, err error) {
	body := strings.NewReader(fmt.Sprintf(`{"checkpoint": {"plan_id": %q}}`, l.plan))
	req, err := http.NewRequestWithContext(l.u.t.Context(), http.MethodPost, api+"/v1/"+l.u.project+"/providers/"+imageProvider+"/checkpoints", body)
	if err != nil {
		return "", false, err
	}
	for name, value := range map[string]string{
		"X-Auth-Token": l.u.token, "Content-Type": "application/json", "OpenStack-API-Version": "data-protect 1.1", "Idempotency-Key": key,
	} {
		req.Header.Set(name, value)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", true, nil
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	var answer struct{ Checkpoint struct{ ID string } }
	switch {
	case err != nil || res.StatusCode == http.StatusServiceUnavailable:
		return "", true, nil
	case res.StatusCode/100 != 2 || json.Unmarshal(text, &answer) != nil:
		return "", false, fmt.Errorf("%d %s", res.StatusCode, text)
	}
	return answer.Checkpoint.ID, false, nil
}

// grow waits until n more checkpoints were promised.
func (l *load) grow(n int) {
	l.u.t.Helper()
	l.mu.Lock()
	have := len(l.ids)
	l.mu.Unlock()
	l.u.await("more checkpoints to be asked for", func() bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		return len(l.ids) >= have+n || l.failure != nil
	})
}

// end asks for no more.
func (l *load) end() {
	l.u.t.Helper()
	close(l.stop)
	l.over.Wait()
	if l.failure != nil {
		l.u.t.Fatal(l.failure)
	}
}

// allMade checks that all that was promised is made, once, and nothing else is.
func (l *load) allMade() {
	l.u.t.Helper()
	made := map[string]bool{}
	for _, id := range l.ids {
		l.u.available(id)
		made[id] = true
	}
	list := l.u.listed()
	for _, id := range list {
		if !made[id] {
			l.u.t.Errorf("checkpoint %s was made, and nobody asked for it", id)
		}
	}
	if len(made) != len(l.ids) || len(list) != len(l.ids) {
		l.u.t.Errorf("%d were promised, of which %d differ, and %d are there", len(l.ids), len(made), len(list))
	}
	l.u.t.Logf("%d checkpoints, %d requests repeated elsewhere", len(l.ids), l.refused)
}

// verifyAll has each byte of all that was made verified.
func (l *load) verifyAll() {
	l.u.t.Helper()
	verifications := make([]string, len(l.ids))
	for i, id := range l.ids {
		verifications[i] = l.u.verifying(imageProvider, id)
	}
	for _, v := range verifications {
		l.u.verified(v)
	}
}

// TestRollingRestartOfAllNodesLosesNothing restarts one node after the other, as an upgrade
// does, while checkpoints are asked for and made.
func TestRollingRestartOfAllNodesLosesNothing(t *testing.T) {
	onEachDatabase(t, rollingRestartLosesNothing)
}

func rollingRestartLosesNothing(_ *testing.T, s *site) {
	s.provide("twin", twinFile)
	starters := []*process{s.start("schedules1", roleSchedules, often), s.start("schedules2", roleSchedules, often)}
	apis := []*process{s.start("api1", roleAPI, often), s.start("api2", roleAPI, often)}
	workers := []*process{s.start("one", roleProtection), s.start("two", roleProtection)}
	u := s.tenant()
	r := u.rush(8)
	l := &load{u: u, plan: u.plan(), stop: make(chan struct{})}
	l.serve(apis[0].address, apis[1].address)
	l.over.Go(l.run)
	for i := range workers {
		l.grow(5)
		workers[i].end(syscall.SIGTERM)
		workers[i] = s.start(workers[i].name, roleProtection)
	}
	for i := range apis {
		l.grow(5)
		l.serve(apis[1-i].address)
		apis[i].end(syscall.SIGTERM)
		apis[i] = s.start(apis[i].name, roleAPI, often)
		l.serve(apis[0].address, apis[1].address)
	}
	r.dueNow()
	for i := range starters {
		starters[i].end(syscall.SIGTERM)
		starters[i] = s.start(starters[i].name, roleSchedules, often)
	}
	l.grow(5)
	l.end()
	l.allMade()
	l.verifyAll()
	r.allMade()
}
