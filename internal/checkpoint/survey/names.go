package survey

import (
	"context"
	"strings"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank"
)

// DomainNames gives the names of all key domains of a bank, in their order. It costs a call
// for each, however much lies in them.
func DomainNames(ctx context.Context, b bank.Bank) ([]string, error) {
	var names []string
	for marker := ""; ; {
		infos, err := b.List(ctx, domainsRoot, marker, 1)
		if err != nil || len(infos) == 0 {
			return names, err
		}
		name, _, deeper := strings.Cut(strings.TrimPrefix(infos[0].Key, domainsRoot), "/")
		if !deeper || !karbor.IsResourceID(name) {
			marker = infos[0].Key // a stray object
			continue
		}
		names = append(names, name)
		marker = domainsRoot + name + "/~" // behind all keys that begin so
	}
}
