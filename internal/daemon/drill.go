package daemon

import (
	"net"
	"time"

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

// drills says how restore drills run.
func (d *Daemon) drills(o Options) (protectionservice.Drills, error) {
	signer, err := o.Config.EvidenceSigner()
	if err != nil {
		return protectionservice.Drills{}, err
	}
	dialer := &net.Dialer{Timeout: drillDial}
	return protectionservice.Drills{
		Limit: int64(o.Config.Drills.PerProject), Signer: signer, Program: o.Version,
		Prober: drill.NewProber(drill.Options{
			Dial: dialer.DialContext, Source: o.Config.Drills.Source, Poll: drillPoll, ImageTimeout: drillImage, Now: o.Now,
		}),
	}, nil
}
