package bankcommand

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/karbor/karbor/internal/checkpoint/survey"
	"github.com/karbor/karbor/internal/cli/output"
)

func statusCommand(f *bankFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "Tell what lies in a bank, who works on it, and what its back-end guarantees",
		Long: `Tell what lies in a bank: checkpoints by status, objects and bytes by area, key domains with
their slots, packs, sessions and epochs, leases, and work that somebody has left unfinished. All
of the bank is listed, and nothing is changed. No key is needed.`,
		Example: `  karbord bank status --provider bank
  karbord bank status --path /mnt/bank -f json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return f.with(cmd.Context(), func(b *openedBank) error {
				p := f.progress(cmd.ErrOrStderr())
				s, err := survey.Look(cmd.Context(), b.bank, b.checkpoints, p.objects("objects"))
				p.end()
				if err != nil {
					return err
				}
				if f.format == "json" {
					return f.printer(cmd.OutOrStdout()).Show(s)
				}
				return printStatus(cmd.OutOrStdout(), b.name, s)
			})
		},
	}
}

// sections prints parts of a text, each with a head.
type sections struct {
	out io.Writer
	err error
}

func (s *sections) printf(format string, args ...any) {
	if s.err == nil {
		_, s.err = fmt.Fprintf(s.out, format, args...)
	}
}

func table[T any](s *sections, head string, rows []T, columns ...string) {
	if len(rows) == 0 {
		return
	}
	s.printf("\n%s\n", head)
	if s.err == nil {
		s.err = output.List(output.Printer{Out: s.out, Format: "table"}, rows, columns...)
	}
}

func printStatus(out io.Writer, name string, st *survey.Status) error {
	s := &sections{out: out}
	s.printf("bank     %s\nlayout   %s\ntime     %s\n", name, st.Layouts(), st.Time.Format(time.RFC3339))
	for _, g := range guarantees(st.Guarantees) {
		s.printf("%s\n", g)
	}
	type area struct {
		Area    string `json:"area"`
		Objects int64  `json:"objects"`
		Size    string `json:"size"`
	}
	var areas []area
	for _, a := range st.Areas {
		if a.Objects > 0 {
			areas = append(areas, area{a.Name, a.Objects, size(a.Bytes)})
		}
	}
	table(s, "Objects", areas, "area", "objects", "size")
	type sum struct {
		Status string `json:"status"`
		Number int64  `json:"number"`
		Size   string `json:"size"`
	}
	var sums []sum
	for _, c := range st.Checkpoints {
		sums = append(sums, sum{string(c.Status), c.Number, size(c.Size)})
	}
	table(s, "Checkpoints", sums, "status", "number", "size")
	printDomains(s, st)
	type owner struct {
		Owner string `json:"owner"`
		Lease string `json:"lease"`
		Works string `json:"works_on"`
	}
	var owners []owner
	for _, o := range st.Owners {
		lease := "until " + o.ExpiresAt.Format(time.RFC3339)
		switch {
		case o.ExpiresAt.IsZero():
			lease = "none"
		case !o.Alive:
			lease = "ended " + o.ExpiresAt.Format(time.RFC3339)
		}
		owners = append(owners, owner{o.Name, lease, strings.Join(o.Works, " ")})
	}
	table(s, "Leases and the work under them", owners, "owner", "lease", "works_on")
	if len(st.Examples) > 0 {
		s.printf("\nKeys that are of no known form, such as:\n  %s\n", strings.Join(st.Examples, "\n  "))
	}
	return s.err
}

func printDomains(s *sections, st *survey.Status) {
	type domain struct {
		Domain    string `json:"domain"`
		Packs     int64  `json:"packs"`
		Size      string `json:"size"`
		PagePacks int64  `json:"page_packs"`
		PageSize  string `json:"page_size"`
		Segments  int64  `json:"index_segments"`
		Slots     int    `json:"slots"`
		Sessions  string `json:"sessions"`
		Epoch     int    `json:"epoch"`
		Condemned int    `json:"condemned"`
		Collected string `json:"collected"`
	}
	type slot struct {
		Domain  string `json:"domain"`
		Slot    string `json:"slot"`
		Kind    string `json:"kind"`
		Label   string `json:"label"`
		Created string `json:"created_at"`
	}
	var domains []domain
	var slots []slot
	for _, d := range st.Domains {
		living := 0
		for _, one := range d.Sessions {
			if one.Alive {
				living++
			}
		}
		domains = append(domains, domain{Domain: d.Name, Packs: d.Packs.Objects, Size: size(d.Packs.Bytes), PagePacks: d.Pages.Objects,
			PageSize: size(d.Pages.Bytes), Segments: d.Segments.Objects, Slots: len(d.Slots),
			Sessions: fmt.Sprintf("%d of %d live", living, len(d.Sessions)), Epoch: d.Epoch, Condemned: d.Condemned, Collected: collectedAt(d)})
		for _, one := range d.Slots {
			slots = append(slots, slot{d.Name, one.ID, printable(one.Kind), printable(one.Label), printable(one.CreatedAt)})
		}
	}
	table(s, "Key domains", domains, "domain", "packs", "size", "page_packs", "page_size", "index_segments", "slots", "sessions", "epoch", "condemned", "collected")
	table(s, "Key slots", slots, "domain", "slot", "kind", "label", "created_at")
	for _, d := range st.Domains {
		if d.Marked > 0 {
			s.printf("domain %s: %d packs are marked as damaged\n", d.Name, d.Marked)
		}
		if len(d.Slots) == 0 && d.Receipts > 0 {
			s.printf("domain %s: its keys were destroyed on purpose; keys purge removes what is left of it\n", d.Name)
		}
		for _, text := range d.Requires {
			s.printf("domain %s: a later version asks for %s, which this one does not know\n", d.Name, printable(text))
		}
		for _, text := range d.Damage {
			s.printf("damage in the domain %s: %s\n", d.Name, printable(text))
		}
	}
}

// collectedAt says when a domain was collected last.
func collectedAt(d *survey.Domain) string {
	switch {
	case d.Collection == "":
		return "never"
	case d.CollectedAt.IsZero():
		return d.Collection
	case d.Collection == "done":
		return d.CollectedAt.UTC().Format(time.RFC3339)
	default:
		return d.Collection + ", " + d.CollectedAt.UTC().Format(time.RFC3339)
	}
}

// guarantees says in words what a back-end promises, and what follows.
func guarantees(g survey.Guarantees) []string {
	create, list := "of racing creates exactly one wins", "a listing shows every write that is over"
	if !g.AtomicCreate {
		create = "two racing creates may both win: let one process only collect garbage"
	}
	if !g.ConsistentList {
		list = "listings may lag behind writes"
	}
	lock := "objects are not locked"
	switch {
	case g.LockAhead > 0:
		lock = fmt.Sprintf("what is held is locked for %v at a time; the store was seen to keep that", time.Duration(g.LockAhead)*time.Second)
	case g.ObjectLock:
		lock = "objects may be locked when they are written; what is held is not locked by that"
	}
	return []string{"creates  " + create, "lists    " + list, "locks    " + lock}
}
