package collection

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank"
	"github.com/karbor/karbor/internal/repository/dedup"
	"github.com/karbor/karbor/internal/repository/format"
	"github.com/karbor/karbor/internal/repository/verification"
)

const (
	checkpointsRoot = "v1/checkpoints/"
	// walkers read pages at the same time. Each holds up to 2 MiB.
	walkers = 8
	// chunksFormat is what manifests say that belong to no domain.
	chunksFormat = "chunks/1"
)

// isManifest reports whether a key is that of the manifest of a stream:
// v1/checkpoints/<project>/<checkpoint>/nodes/<word>/<id>/data/<name>/manifest.
func isManifest(key string) bool {
	parts := strings.Split(key, "/")
	return len(parts) == 10 && parts[4] == "nodes" && parts[7] == "data" && parts[9] == "manifest"
}

// walker marks what manifests reach.
type walker struct {
	*work
	seeker *dedup.Seeker
	// without are prefixes of the keys of manifests that count as gone.
	without []string
	// thorough looks for all places of what lies in a pack that is marked as damaged.
	thorough *dedup.Seeker
	pages    *errgroup.Group
	// foreign says of other domains whether the bank has them.
	foreign map[string]bool

	mu    sync.Mutex
	asked map[format.ID]*asked
	// damaged are the streams that can't be read as a whole, givenUp those of them that
	// the operator has named; MaxDamaged of each at most.
	damaged, givenUp []Damage
}

// mark walks through the manifests that were not walked through yet. Some that can't be read
// as a whole are a *DamageError.
func (w *work) mark(ctx context.Context, phase Phase) error {
	prefix := checkpointsRoot
	if w.options.OwnProject {
		prefix += w.domain.Name() + "/"
	}
	return w.markBelow(ctx, phase, []string{prefix}, w.options.Without)
}

// markBelow is mark for the manifests below some prefixes of keys, without those below others.
func (w *work) markBelow(ctx context.Context, phase Phase, prefixes, without []string) error {
	if err := w.distrust(ctx); err != nil {
		return err
	}
	walk := &walker{work: w, without: without, seeker: w.domain.Seeker(), thorough: w.domain.Seeker(), foreign: map[string]bool{}, asked: map[format.ID]*asked{}}
	pages, within := errgroup.WithContext(ctx)
	walk.pages = pages
	pages.SetLimit(walkers)
	var err error
	for i := 0; i < len(prefixes) && err == nil; i++ {
		err = walk.below(within, prefixes[i], phase)
	}
	if pagesErr := pages.Wait(); pagesErr != nil {
		err = pagesErr // it ended the other
	}
	if err != nil {
		return err
	}
	return walk.stumbles()
}

// distrust learns which packs are marked as damaged. Writers have stored again what those hold, so
// the index must tell all places, and what was walked through without knowing that is
// walked through again: by the second marking, listings show each mark because of which a
// pack was stored that is condemned.
func (w *work) distrust(ctx context.Context) error {
	marked, err := verification.Marked(ctx, w.bank, w.domain.Name())
	if err != nil {
		return err
	}
	if w.marks.mark(marked) {
		w.result.Pages, w.result.Chunks = 0, 0
	}
	if len(marked) == 0 {
		return nil
	}
	_, err = w.domain.LoadIndex(ctx)
	return err
}

// below walks through the manifests below a prefix.
func (w *walker) below(ctx context.Context, prefix string, phase Phase) error {
	marker, done := "", 0
	for {
		page, err := w.bank.List(ctx, prefix, marker, bank.MaxList)
		if err != nil {
			return fmt.Errorf("listing the checkpoints: %w", err)
		}
		for _, i := range page {
			if marker = i.Key; !isManifest(i.Key) || w.ignored(i.Key) {
				continue
			}
			if err := w.manifest(ctx, i.Key, phase); err != nil {
				return err
			}
			done++
			w.progress(Progress{Phase: phase, Done: done})
		}
		if len(page) < bank.MaxList {
			return nil
		}
	}
}

// ignored reports whether a manifest counts as gone.
func (w *walker) ignored(key string) bool {
	return slices.ContainsFunc(w.without, func(prefix string) bool { return strings.HasPrefix(key, prefix) })
}

// manifest walks through one manifest.
func (w *walker) manifest(ctx context.Context, key string, phase Phase) error {
	text, err := w.get(ctx, key)
	if karbor.KindOf(err) == karbor.NotFound {
		return nil // its checkpoint was deleted just now
	}
	if err != nil {
		return fmt.Errorf("reading the manifest %s: %w", key, err)
	}
	digest := format.Name(sha256.Sum256(append([]byte(key+"|"), text...)))
	if _, walked := w.marks.manifests[digest]; walked {
		return nil
	}
	root, ours, err := w.root(ctx, key, text)
	if err != nil {
		return w.stumbled(key, err)
	}
	w.marks.manifests[digest] = struct{}{}
	if !ours {
		return nil
	}
	if phase == Marking {
		w.result.Streams++
	}
	for i, id := range root.Pages {
		if id == (format.ID{}) || !w.ask(id, key) {
			continue
		}
		size := format.SpanSize(root.Size, i)
		w.pages.Go(func() error { return w.answer(id, w.page(ctx, id, size)) })
	}
	return nil
}

func (w *walker) get(ctx context.Context, key string) ([]byte, error) {
	r, err := w.bank.Get(ctx, key, 0, format.MaxManifest+1)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(r)
}

// root opens a manifest. ours is false for one of another domain, or of none. What our key opens
// is ours, whatever its clear members say; of another domain is only what says so, if the bank
// has that domain.
func (w *walker) root(ctx context.Context, key string, text []byte) (root *format.Root, ours bool, err error) {
	var says struct {
		Format string `json:"format"`
		Domain string `json:"domain"`
	}
	if err := json.Unmarshal(text, &says); err != nil {
		return nil, false, &format.DamageError{What: "manifest", Why: "it is no JSON object"}
	}
	if says.Format == chunksFormat {
		return nil, false, nil
	}
	document := w.domain.Document()
	m, err := format.ParseManifest(text)
	if err == nil {
		healed := *m
		healed.Domain, healed.Repository = document.Domain, document.Repository
		if root, err = w.domain.Keys().OpenManifest(document, key, &healed); err == nil {
			if healed != *m {
				w.options.Logger.Warn("a manifest is damaged in what its domain and repository are; what it refers to is kept", "manifest", key)
			}
			return root, true, nil
		}
	}
	if says.Format != format.Version || says.Domain == w.domain.Name() {
		return nil, true, err
	}
	there, existsErr := w.exists(ctx, says.Domain)
	if existsErr != nil {
		return nil, false, existsErr
	}
	if !there {
		return nil, true, &format.DamageError{What: "manifest", Why: fmt.Sprintf("it says that it is of the domain %q, which the bank does not have", says.Domain)}
	}
	return nil, false, nil
}

// exists reports whether the bank has another domain.
func (w *walker) exists(ctx context.Context, domain string) (bool, error) {
	if there, known := w.foreign[domain]; known {
		return there, nil
	}
	_, err := w.bank.Stat(ctx, dedup.DocumentKey(domain))
	switch kind := karbor.KindOf(err); {
	case err != nil && kind != karbor.NotFound && kind != karbor.Invalid:
		return false, fmt.Errorf("looking for the domain %q: %w", domain, err)
	case err == nil && w.options.OwnProject:
		w.options.Logger.Warn("streams of this project are of another key domain, and are not looked at", "domain", w.domain.Name(), "other", domain)
	}
	w.foreign[domain] = err == nil
	return err == nil, nil
}

// page marks what a page reaches, and the page itself.
func (w *walker) page(ctx context.Context, id format.ID, size int64) error {
	page, at, err := w.seeker.Page(ctx, id, size)
	if err == nil {
		err = w.throttle(ctx, at.Stored)
	}
	if err != nil {
		return err
	}
	there, err := w.marks.reach(ctx, &at)
	if err != nil {
		return err
	}
	if !there {
		return karbor.Transientf("the pack %s went while it was read", at.Pack)
	}
	if w.marks.distrusts(at.Pack) {
		if err := w.everywhere(ctx, format.Pages, id, at.Length); err != nil {
			return err
		}
	}
	var chunks int64
	for _, e := range page {
		if e.Hole {
			continue
		}
		chunks++
		if err := w.chunk(ctx, e); err != nil {
			return err
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.result.Pages++
	w.result.Chunks += chunks
	return nil
}

// chunk marks one chunk.
func (w *walker) chunk(ctx context.Context, e format.Entry) error {
	at, known, err := w.domain.Index().Find(format.Data, e.ID)
	if err != nil {
		return err
	}
	if known && at.Length == e.Length {
		known, err = w.marks.reach(ctx, &at)
	} else {
		known = false
	}
	if err == nil && !known {
		err = w.seeker.Seek(ctx, format.Data, e.ID, func(l *dedup.Location) error {
			at = *l
			return w.place(ctx, l, e.Length)
		})
	}
	if err != nil || !w.marks.distrusts(at.Pack) {
		return err
	}
	return w.everywhere(ctx, format.Data, e.ID, e.Length)
}

// place marks what lies in one place; a place that is none is refused.
func (w *walker) place(ctx context.Context, l *dedup.Location, length int) error {
	if l.Length != length {
		return &format.DamageError{What: "directory", Why: "what lies there has another length"}
	}
	reached, err := w.marks.reach(ctx, l)
	if err == nil && !reached {
		return karbor.Errorf(karbor.NotFound, "the pack %s is not there", l.Pack)
	}
	return err
}

// everywhere marks all places of a chunk or page: one lies in a pack that is marked as damaged, and
// nobody knows whether it is hurt there itself, so that another place may be the only one
// where it can be read.
func (w *walker) everywhere(ctx context.Context, kind format.Kind, id format.ID, length int) error {
	found := false
	err := w.thorough.Seek(ctx, kind, id, func(l *dedup.Location) error {
		if err := w.place(ctx, l, length); err != nil {
			return err
		}
		found = true
		return karbor.Errorf(karbor.NotFound, "there may be other places")
	})
	if found && isDamage(err) {
		return nil // all were looked at
	}
	return err
}
