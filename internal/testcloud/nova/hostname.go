package nova

import (
	"regexp"
	"strings"

	"github.com/karbor/karbor/internal/testcloud/fabric"
)

var (
	// shortHost and longHost are the host names that may be chosen: a label since
	// 2.90, and one with its domain since 2.94.
	shortHost = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9-]{0,61}[a-zA-Z0-9]$`)
	longHost  = regexp.MustCompile(`^[a-zA-Z0-9._-]{1,255}$`)

	joints  = regexp.MustCompile(`[ _.]`)
	notHost = regexp.MustCompile(`[^a-z0-9ªµºß-öø-ÿ-]+`)
)

// checkHost refuses a host name that the caller's microversion has no place for, that
// is none, or that is chosen for several servers at once.
func checkHost(r *fabric.Request, host string, count int) error {
	allowed := shortHost
	switch {
	case !r.Version.AtLeast(2, 90):
		return fabric.BadRequest("Invalid input for field/attribute server. Additional properties are not allowed ('hostname' was unexpected)")
	case r.Version.AtLeast(2, 94):
		allowed = longHost
	}
	if !allowed.MatchString(host) {
		return fabric.BadRequest("Invalid input for field/attribute hostname. Value: %s. '%s' does not match '%s'", host, host, allowed)
	}
	if count > 1 {
		return fabric.BadRequest("Unable to create multiple servers with the same hostname")
	}
	return nil
}

// hostOf is the host name that Nova makes of a server's name: of its first 63 characters
// of Latin-1, or of the id if nothing is left. It does not follow a later name.
func hostOf(name, id string) string {
	const longest = 63
	var latin []rune
	for _, c := range name {
		if c <= 0xff && len(latin) < longest {
			latin = append(latin, c)
		}
	}
	host := strings.Trim(notHost.ReplaceAllString(strings.ToLower(joints.ReplaceAllString(string(latin), "-")), ""), "-")
	if host == "" {
		return "Server-" + id
	}
	return host
}
