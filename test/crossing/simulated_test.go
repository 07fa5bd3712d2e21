//go:build !openstack

package crossing

import "time"

const (
	// pace is how often the plug-ins look at the cloud, pause how often a test looks.
	pace  = "20ms"
	pause = 10 * time.Millisecond
)
