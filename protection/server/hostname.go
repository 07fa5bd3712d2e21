package server

import (
	"fmt"
	"strings"
)

// hostNotKept tells that the guest has another host name: Nova makes it of the server's name, and lets nobody
// choose it before microversion 2.90. The original's may have been chosen, or be that of an earlier name.
func (b *builder) hostNotKept() {
	was := b.doc.Hostname
	madeUp := plainHost(b.doc.Name) == "" && strings.HasPrefix(was, "server-")
	if plainHost(was) == "" || plainHost(was) == plainHost(b.doc.Name) || madeUp {
		return
	}
	b.call.NotKept(fmt.Sprintf("The server's host name %q: the cloud makes one of the server's name. Change it in the guest.", was))
}

// plainHost gives of a name what Nova keeps of it in a host name in each release: they differ in dots, and in
// what stands for characters that a host name can't have. It is "" for a name of which nothing is left:
// then Nova makes one up of the server's id.
func plainHost(name string) string {
	const longest = 63
	var out strings.Builder
	for _, c := range strings.ToLower(name[:min(len(name), longest)]) {
		if c >= 'a' && c <= 'z' || c >= '0' && c <= '9' {
			out.WriteRune(c)
		}
	}
	return out.String()
}
