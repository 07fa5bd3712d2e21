package daemon

import (
	"context"
	"net"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/protectionservice"
	"github.com/karbor/karbor/internal/protectionservice/drill"
)

const (
	// drillPoll is the longest pause between two looks of a drill at what it waits for, and
	// drillImage how long a volume may take to be uploaded.
	drillPoll  = 5 * time.Second
	drillImage = 4 * time.Hour
	// drillDial limits one attempt to connect to a server.
	drillDial = 5 * time.Second
)

// drills says how restore drills run. Without a key that the other processes know too, no new
// ones do.
func (d *Daemon) drills(ctx context.Context, o Options) (protectionservice.Drills, error) {
	signer, err := o.Config.EvidenceSigner()
	switch {
	case karbor.KindOf(err) == karbor.NotImplemented:
		if o.Config.Drills.PerProject != 0 {
			d.log.WarnContext(ctx, "no drills are made", "error", err)
		}
	case err != nil:
		return protectionservice.Drills{}, err
	}
	dial := o.Dial
	if dial == nil {
		dial = (&net.Dialer{Timeout: drillDial}).DialContext
	}
	return protectionservice.Drills{
		Limit: int64(o.Config.Drills.PerProject), Signer: signer, Program: o.Version,
		Prober: drill.NewProber(drill.Options{
			Dial: dial, Source: o.Config.Drills.Source, ExternalNetwork: o.Config.Drills.ExternalNetwork,
			Poll: drillPoll, ImageTimeout: drillImage, Now: o.Now,
		}),
	}, nil
}
