package survey

import (
	"context"
	"strings"

	"github.com/karbor/karbor/bank"
	"github.com/karbor/karbor/internal/checkpoint"
)

// checkStrays finds what belongs to no checkpoint. It looks at every object once, but
// tells of each checkpoint, and of keys of unknown forms in each folder, once only.
func (c *checker) checkStrays(ctx context.Context) error {
	told := ""
	err := each(ctx, c.bank, "", func(i bank.Info) error {
		area := areaOf(i.Key)
		if area != AreaUnknown {
			told = ""
			return nil
		}
		folder := i.Key[:strings.LastIndexByte(i.Key, '/')+1]
		if told == "in "+folder {
			return nil
		}
		told = "in " + folder
		return c.found(Finding{Place: i.Key, Text: "no object of layout 1 has such a key"})
	})
	if err != nil {
		return err
	}
	if err := c.checkEntries(ctx); err != nil {
		return err
	}
	return c.checkRemains(ctx)
}

// checkEntries finds entries of indices whose checkpoint is not there.
func (c *checker) checkEntries(ctx context.Context) error {
	return each(ctx, c.bank, "v1/indices/", func(i bank.Info) error {
		project, id, ok := checkpoint.ParseIndexKey(i.Key)
		switch {
		case !ok:
			return c.found(Finding{Place: i.Key, Text: "no entry of an index has such a key"})
		case !c.known[project+"/"+id]:
			return c.found(Finding{Checkpoint: project + "/" + id, Place: i.Key, Text: "there is an entry in an index, and no such checkpoint"})
		}
		return nil
	})
}

// checkRemains finds documents and data of checkpoints that are not there. From the
// first object of each it goes on to the next checkpoint, however much lies there.
func (c *checker) checkRemains(ctx context.Context) error {
	const root = "v1/checkpoints/"
	for marker := ""; ; {
		infos, err := c.bank.List(ctx, root, marker, 1)
		if err != nil || len(infos) == 0 {
			return err
		}
		key := infos[0].Key
		parts := strings.Split(strings.TrimPrefix(key, root), "/")
		marker = key
		if len(parts) < 3 {
			continue // told of already, as of an unknown form
		}
		project, id := parts[0], parts[1]
		// Behind all keys that begin with it: no key has a byte above z.
		marker = root + project + "/" + id + "/~"
		if c.known[project+"/"+id] {
			continue
		}
		_, err = c.checkpoints.Overview(ctx, project, id)
		if err == nil { // made since, or a tombstone that is being swept
			continue
		}
		if err := c.found(Finding{Checkpoint: project + "/" + id, Place: root + project + "/" + id,
			Text: "something lies here, and there is no such checkpoint: one that was never begun, or garbage"}); err != nil {
			return err
		}
	}
}
