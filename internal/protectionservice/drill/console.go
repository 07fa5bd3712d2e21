package drill

import (
	"context"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/gophercloud/gophercloud/v2"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/evidence"
	"github.com/karbor/karbor/internal/openstack"
	"github.com/karbor/karbor/protection"
)

// consoleOrigin is where console texts are read.
const consoleOrigin = "Nova's console log"

// consoleLines is how many of a console's last lines are asked for.
const consoleLines = 1000

// MetadataKey is the member of a server's metadata that a guest's hook sees that it runs in a
// drill by; its value is the drill's id.
const MetadataKey = "karbor_drill"

// consoleText gives the last lines on a server's console. One that has none to show is
// karbor.NotImplemented.
func consoleText(ctx context.Context, client *gophercloud.ServiceClient, id string) (string, error) {
	var answer struct {
		Output string `json:"output"`
	}
	_, err := client.Post(ctx, client.ServiceURL("servers", id, "action"), //nolint:bodyclose // gophercloud has closed it
		map[string]any{"os-getConsoleOutput": map[string]any{"length": consoleLines}}, &answer,
		&gophercloud.RequestOpts{OkCodes: []int{http.StatusOK}})
	if err != nil && (gophercloud.ResponseCodeIs(err, http.StatusNotImplemented) || gophercloud.ResponseCodeIs(err, http.StatusConflict) ||
		gophercloud.ResponseCodeIs(err, http.StatusNotFound)) {
		return "", karbor.Errorf(karbor.NotImplemented, "the cloud gives no console of the server")
	}
	return answer.Output, openstack.Explain(err, "reading the console of server %s", id)
}

// watch reads a console until seen says that it has seen enough, or time is over; over is
// whether it is. text is the last that was read.
func (p *Prober) watch(ctx context.Context, call *protection.Call, id string, timeout int, seen func(text string) bool) (text string, over bool, err error) {
	client, err := openstack.Compute(ctx, call.Cloud)
	if err != nil {
		return "", false, err
	}
	limited, cancel := context.WithTimeout(ctx, time.Duration(timeout)*time.Second)
	defer cancel()
	err = openstack.Poll(limited, "the console of server "+id, p.options.Poll, func(ctx context.Context) (bool, error) {
		now, err := consoleText(ctx, client, id)
		if err == nil {
			text = now
		}
		return err == nil && seen(now), err
	})
	if err != nil && limited.Err() != nil && ctx.Err() == nil {
		return text, true, nil
	}
	return text, false, err
}

// console waits for a text on the console.
func (p *Prober) console(ctx context.Context, call *protection.Call, s Subject) (evidence.Probe, error) {
	o := s.Probes.Console
	found := evidence.Probe{Target: "lines with " + o.Pattern, Origin: consoleOrigin, Result: evidence.Passed}
	pattern, err := regexp.Compile(o.Pattern)
	if err != nil {
		return found, karbor.Errorf(karbor.Invalid, "the pattern is not a regular expression")
	}
	hit := ""
	text, over, err := p.watch(ctx, call, s.ID, o.Timeout, func(text string) bool {
		for line := range strings.Lines(text) {
			if pattern.MatchString(strings.TrimRight(line, "\r\n")) {
				hit = line
			}
		}
		return hit != ""
	})
	switch {
	case err != nil:
		return found, err
	case !over:
		found.Reason = fmt.Sprintf("A line has it: %q.", plain(hit))
	case strings.TrimSpace(text) == "":
		found.Result, found.Reason = evidence.Impossible, "Nothing came on the console in "+seconds(o.Timeout)+": the guest writes none."
	default:
		found.Result = evidence.Failed
		found.Reason = fmt.Sprintf("No line had it within %s; the last one is %q.", seconds(o.Timeout), lastLine(text))
	}
	return found, nil
}

func lastLine(text string) string {
	last := ""
	for line := range strings.Lines(text) {
		if strings.TrimSpace(line) != "" {
			last = line
		}
	}
	return plain(last)
}

// The lines that a guest's hook writes on its console, each with the id of the drill; the last
// one has the command's exit status behind it.
const (
	beginLine = "KARBOR-DRILL-BEGIN "
	endLine   = "KARBOR-DRILL-END "
)

// command tells the guest, by its metadata, that it runs in a drill, and waits for what its hook
// writes on the console.
func (p *Prober) command(ctx context.Context, call *protection.Call, s Subject) (evidence.Probe, error) {
	o, id := s.Probes.Command, call.OperationID
	found := evidence.Probe{Target: "the guest's own hook", Origin: "the guest, by " + consoleOrigin, Result: evidence.Impossible}
	client, err := openstack.Compute(ctx, call.Cloud)
	if err != nil {
		return found, err
	}
	told := map[string]any{"metadata": map[string]string{MetadataKey: id}}
	_, err = client.Post(ctx, client.ServiceURL("servers", s.ID, "metadata"), told, &struct{}{}, //nolint:bodyclose // gophercloud has closed it
		&gophercloud.RequestOpts{OkCodes: []int{http.StatusOK}})
	if err != nil {
		return found, openstack.Explain(err, "telling server %s of the drill", s.ID)
	}
	var answer hookAnswer
	_, over, err := p.watch(ctx, call, s.ID, o.Timeout, func(text string) bool {
		answer = readHook(text, id)
		return answer.ended
	})
	switch {
	case err != nil:
		return found, err
	case over && !answer.began:
		found.Reason = "The guest's hook did not answer within " + seconds(o.Timeout) + ": there may be none, or it can't reach its metadata."
	case over:
		found.Result, found.Reason = evidence.Failed, "The guest's command was not over within "+seconds(o.Timeout)+"; it wrote: "+answer.output
	case answer.status != 0:
		found.Result, found.Reason = evidence.Failed, fmt.Sprintf("The guest's command ended with %d; it wrote: %s", answer.status, answer.output)
	default:
		found.Result, found.Reason = evidence.Passed, "The guest's command ended with 0; it wrote: "+answer.output
	}
	return found, nil
}

// hookAnswer is what a guest's hook has written.
type hookAnswer struct {
	began, ended bool
	status       int
	output       string
}

// readHook reads the last answer of a drill's hook from a console.
func readHook(text, id string) hookAnswer {
	var a hookAnswer
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		// A console may put something before, such as the kernel's clock.
		if strings.HasSuffix(line, beginLine+id) {
			a = hookAnswer{began: true}
			continue
		}
		if _, status, ok := strings.Cut(line, endLine+id+" "); ok && a.began {
			n, err := strconv.Atoi(strings.TrimSpace(status))
			if err == nil {
				a.ended, a.status = true, n
			}
			continue
		}
		if a.began && !a.ended && len(a.output) < longestReason {
			a.output = strings.TrimSpace(a.output + " " + plain(line))
		}
	}
	return a
}
