package server

import (
	"context"
	"fmt"
	"regexp"
	"strings"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/openstack"
)

const (
	// hostVersion is Nova's microversion that shows a server's host name to its tenant,
	// and lets him choose it. Before it only an administrator sees it, and nobody chooses.
	hostVersion = "2.90"
	// domainVersion lets the host name have its domain, and be anything that Nova itself has ever made.
	domainVersion = "2.94"
)

// shortHost and longHost are the names that can be chosen in hostVersion and in domainVersion. Nova
// would take more of the latter, but where Neutron has host names, too, it refuses ports what DNS
// does not allow, and then the server ends in an error.
var (
	shortHost = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9-]{0,61}[a-zA-Z0-9]$`)
	longHost  = regexp.MustCompile(`^(?:` + label + `\.)*` + label + `$`)
	lastDigit = regexp.MustCompile(`\.[0-9]+$`)
	madeOfID  = regexp.MustCompile(`^(?i:server-[0-9a-f-]{36})$`)
)

// label is a part of a name between dots, and longestHost the length of the longest name.
const (
	label       = `[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?`
	longestHost = 255
)

// since gives Nova at a microversion; if the cloud does not offer it, as it is else.
func (c clients) since(ctx context.Context, cloud karbor.Cloud, microversion string) (compute api, offered bool, err error) {
	client, err := openstack.ComputeFrom(ctx, cloud, microversion)
	if karbor.KindOf(err) == karbor.NotImplemented {
		return c.compute, false, nil
	}
	return api{client}, err == nil, err
}

// host gives the host name to ask for, and Nova at the microversion that takes it. It is "" where
// the cloud makes one of the server's name: the original's is not known, or the cloud does not take
// it, or the restored server has another name or is one of a drill. Then the original may be there still,
// and an operator can have host names be of one server only (osapi_compute_unique_server_name_scope).
func (b *builder) host(ctx context.Context) (name string, compute api, err error) {
	was, version := b.doc.Hostname, hostVersion
	if !shortHost.MatchString(was) {
		version = domainVersion
	}
	fits := len(was) <= longestHost && longHost.MatchString(was) && !lastDigit.MatchString(was)
	if !fits || b.call.Drill || b.call.RestoredName(b.doc.Name) != b.doc.Name || b.madeUp() {
		return "", b.compute, nil
	}
	compute, offered, err := b.since(ctx, b.call.Cloud, version)
	if err != nil || !offered {
		return "", b.compute, err
	}
	return was, compute, nil
}

// follows reports whether the original's host name is what Nova makes of its name. It may have
// been chosen instead, or be that of an earlier name.
func (b *builder) follows() bool {
	return b.madeUp() || plainHost(b.doc.Hostname) == plainHost(b.doc.Name)
}

// followsNewName reports whether the host name follows from the server's name to that of the restored one.
func (b *builder) followsNewName() bool {
	return b.follows() && b.call.RestoredName(b.doc.Name) != b.doc.Name
}

// madeUp reports whether Nova made the host name up of the server's id, as nothing of its name can be in one.
func (b *builder) madeUp() bool {
	return plainHost(b.doc.Name) == "" && madeOfID.MatchString(b.doc.Hostname)
}

// hostNotKept tells that the guest has another host name than the original had. now is the name that the
// restored server has, or will have; "" if that can't be told: then the cloud makes one of the server's name.
func (b *builder) hostNotKept(now string) {
	was := b.doc.Hostname
	switch {
	case was == "":
		b.call.NotKept("The server's host name may be another: it could not be read when the server was protected.")
	case b.followsNewName() || b.madeUp() || now == "" && b.follows() || strings.EqualFold(now, was):
	case now == "":
		b.call.NotKept(fmt.Sprintf("The server's host name %q: the cloud makes one of the server's name. Change it in the guest.", was))
	default:
		b.call.NotKept(fmt.Sprintf("The server's host name %q: the cloud made it %q. Change it in the guest.", was, now))
	}
}

// plainHost gives of a name what Nova keeps of it in a host name in each release: they differ in dots, and in
// what stands for characters that a host name can't have. It is "" for a name of which nothing is left:
// then Nova makes one up of the server's id.
func plainHost(name string) string {
	const longest, latin = 63, 0xff
	var out strings.Builder
	taken := 0
	for _, c := range strings.ToLower(name) {
		if c > latin || taken == longest {
			continue
		}
		if taken++; c >= 'a' && c <= 'z' || c >= '0' && c <= '9' {
			out.WriteRune(c)
		}
	}
	return out.String()
}
