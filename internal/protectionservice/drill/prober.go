package drill

import (
	"context"
	"fmt"
	"net"
	"strings"
	"time"
	"unicode"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack/blockstorage/v3/volumes"
	"github.com/gophercloud/gophercloud/v2/openstack/image/v2/images"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/evidence"
	"github.com/karbor/karbor/internal/openstack"
	"github.com/karbor/karbor/protection"
)

// Options say how probes are made. All are needed but Source and ExternalNetwork.
type Options struct {
	// Dial opens connections to servers, for the port probe.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Source is the address that servers see such connections come from; "" takes that of this
	// host on the way there.
	Source string
	// ExternalNetwork is the id of the network that floating addresses are made in; "" makes
	// port probes impossible.
	ExternalNetwork string
	// Poll is the longest pause between two looks at what is waited for.
	Poll time.Duration
	// ImageTimeout limits how long the upload of a volume to an image is waited for.
	ImageTimeout time.Duration
	Now          func() time.Time
}

// Prober makes probes. It is safe for concurrent use.
type Prober struct{ options Options }

// NewProber makes a prober.
func NewProber(o Options) *Prober { return &Prober{options: o} }

// Subject is what is probed.
type Subject struct {
	// ID is the id of what was restored.
	ID string
	// Content is what is known of a volume's bytes; nil for nothing.
	Content *protection.Content
	Probes  karbor.DrillProbes
	// Enter waits for a place for a stream of bulk data; nil for nobody to wait for. leave is
	// called once.
	Enter func(ctx context.Context) (leave func(), err error)
}

// Probe makes one probe of what a call's node was restored as. What can't be looked at is
// Impossible; the error is one that may pass, or of a context that has ended.
func (p *Prober) Probe(ctx context.Context, name string, call *protection.Call, s Subject) (evidence.Probe, error) {
	if s.ID == "" {
		return p.GiveUp(name, karbor.Errorf(karbor.NotFound, "nothing was restored")), nil
	}
	found, err := p.probe(ctx, name, call, s)
	if err != nil {
		if karbor.IsTransient(err) || ctx.Err() != nil {
			return evidence.Probe{}, err
		}
		found = evidence.Probe{Target: found.Target, Origin: found.Origin, Result: evidence.Impossible, Reason: karbor.Sentence(err) + "."}
	}
	found.Probe, found.At = name, evidence.Time{Time: p.options.Now()}
	found.Reason, found.Target = plain(found.Reason), plain(found.Target)
	return found, nil
}

// GiveUp is the record of a probe that could not be made, as its error never passed.
func (p *Prober) GiveUp(name string, why error) evidence.Probe {
	return evidence.Probe{
		Probe: name, At: evidence.Time{Time: p.options.Now()}, Origin: "karbord", Result: evidence.Impossible, Reason: plain(karbor.Sentence(why) + "."),
	}
}

func (p *Prober) probe(ctx context.Context, name string, call *protection.Call, s Subject) (evidence.Probe, error) {
	switch name {
	case ActiveProbe:
		return p.active(ctx, call, s)
	case VolumeProbe:
		return p.volume(ctx, call, s)
	case ConsoleProbe:
		return p.console(ctx, call, s)
	case CommandProbe:
		return p.command(ctx, call, s)
	case PortProbe:
		return p.port(ctx, call, s)
	default:
		return evidence.Probe{}, karbor.Errorf(karbor.Invalid, "there is no probe %q", name)
	}
}

// active looks at the state that the cloud gives.
func (p *Prober) active(ctx context.Context, call *protection.Call, s Subject) (evidence.Probe, error) {
	state, good := "", false
	var origin string
	var err error
	switch call.Node.Type {
	case karbor.ServerType:
		origin = "Nova"
		var client *gophercloud.ServiceClient
		if client, err = openstack.Compute(ctx, call.Cloud); err == nil {
			state, err = serverStatus(ctx, client, s.ID)
		}
		good = state == "ACTIVE"
	case karbor.VolumeType:
		origin = "Cinder"
		state, good, err = volumeState(ctx, call, s)
	default:
		origin = "Glance"
		var client *gophercloud.ServiceClient
		var image *images.Image
		if client, err = openstack.Image(ctx, call.Cloud); err == nil {
			if image, err = images.Get(ctx, client, s.ID).Extract(); err == nil {
				state, good = string(image.Status), image.Status == images.ImageStatusActive
			}
		}
	}
	what := call.Node.Type.Word() + " " + s.ID
	found := evidence.Probe{Target: what, Origin: origin, Result: evidence.Failed, Reason: fmt.Sprintf("It is %s.", state)}
	if openstack.IsNotFound(err) {
		found.Reason = "It is not there."
		return found, nil
	}
	if good {
		found.Result = evidence.Passed
	}
	return found, openstack.Explain(err, "reading %s", what)
}

func volumeState(ctx context.Context, call *protection.Call, s Subject) (state string, good bool, err error) {
	client, err := openstack.BlockStorage(ctx, call.Cloud)
	if err != nil {
		return "", false, err
	}
	v, err := volumes.Get(ctx, client, s.ID).Extract()
	if err != nil {
		return "", false, err
	}
	good = v.Status == "available" || v.Status == "in-use"
	state = fmt.Sprintf("%s, with %d GiB", v.Status, v.Size)
	if s.Content != nil && int64(v.Size)<<30 < s.Content.Size {
		return state + fmt.Sprintf(", less than the %d bytes that were protected", s.Content.Size), false, nil
	}
	return state, good, nil
}

func serverStatus(ctx context.Context, client *gophercloud.ServiceClient, id string) (string, error) {
	var envelope struct {
		Server struct{ Status string } `json:"server"`
	}
	_, err := client.Get(ctx, client.ServiceURL("servers", id), &envelope, nil) //nolint:bodyclose // gophercloud has closed it
	return envelope.Server.Status, err
}

// longestReason bounds a text of a record that something else may have written.
const longestReason = 1000

// plain makes a text one that can be shown: a guest may write what it likes on its console.
func plain(text string) string {
	text = strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t' || r == '\r':
			return ' '
		case unicode.IsPrint(r):
			return r
		default:
			return -1
		}
	}, strings.ToValidUTF8(text, ""))
	if runes := []rune(text); len(runes) > longestReason {
		text = string(runes[:longestReason]) + "…"
	}
	return strings.TrimSpace(text)
}
