package bankcommand

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank"
	"github.com/karbor/karbor/cmd/karbord/configured"
	"github.com/karbor/karbor/internal/checkpoint/layout09"
	"github.com/karbor/karbor/internal/checkpoint/survey"
	"github.com/karbor/karbor/internal/repository/verification"
)

// verifyFlags are the flags of karbord bank verify.
type verifyFlags struct {
	depth, project, stateFolder string
	domains, copies             []string
	since, lasting              string
	rate                        string
	repair, dryRun              bool
}

func verifyCommand(f *bankFlags) *cobra.Command {
	o := verifyFlags{}
	cmd := &cobra.Command{
		Use:   "verify [CHECKPOINT]",
		Short: "Read the data of a bank or a checkpoint, and repair what is damaged",
		Long: `Verify that the data of a bank, of a key domain or of one checkpoint is still what was written, at a depth:
  quick   all that streams refer to is there, with its size; no data is read
  stored  what is stored has its checksums; this needs no key
  full    every chunk decrypts, decompresses and has its id (the default)
Each damaged object is printed, and each stream of a checkpoint that it hurts; and what a checkpoint had when it became
available and has no more, by its list of contents: of those whose list is sealed and whose key is not here, or that
have none, only the number. Writers may be at work meanwhile.

With --state FOLDER it is kept what was found good, and when: a run that was broken off goes on where it was, and
packs that were looked at since --since are not read again. With --for the run ends after some time; so a bank is
verified by shares, one each night. --limit bounds the bytes read in a second.

--repair puts whole copies in the place of damaged packs: those of the file banks that --copy names. What no
copy has is stored again by the next protect of the same resource. --repair --dry-run only verifies.`,
		Example: `  karbord bank verify --provider bank --depth quick
  karbord bank verify --provider bank --state /var/lib/karbor/verified --since 30d --for 2h --limit 50MiB
  karbord bank verify 5f2c… --path /mnt/bank --key-file site.key
  karbord bank verify --provider bank --repair --copy /mnt/second-site`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			id := ""
			if len(args) == 1 {
				id = args[0]
			}
			if old := f.oldFolder(); old != "" {
				return withOld(old, func(c *layout09.Checkpoints) error {
					return verifyOld(cmd.Context(), f, c, id, cmd.OutOrStdout(), cmd.ErrOrStderr())
				})
			}
			f.changes = o.repair && !o.dryRun
			return f.with(cmd.Context(), func(b *openedBank) error {
				return b.verify(cmd.Context(), f, o, id, cmd.OutOrStdout(), cmd.ErrOrStderr())
			})
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&o.depth, "depth", string(verification.Full), "how deep to look: quick, stored or full")
	flags.StringVar(&o.project, "project", "", "only the checkpoints of the project with this id")
	flags.StringSliceVar(&o.domains, "domain", nil, "only these key domains, with commas between them")
	flags.StringVar(&o.stateFolder, "state", "", "folder that keeps what was found good")
	flags.StringVar(&o.since, "since", "", "look again at what was found good longer ago: days (30d), weeks (4w) or hours (36h)")
	flags.StringVar(&o.lasting, "for", "", "end after this time: days, weeks or hours")
	flags.StringVar(&o.rate, "limit", "", "read no more than this in a second, such as 50MiB")
	flags.BoolVar(&o.repair, "repair", false, "repair what is damaged")
	flags.BoolVar(&o.dryRun, "dry-run", false, "with --repair: change nothing")
	flags.StringSliceVar(&o.copies, "copy", nil, "folders of file banks to take whole packs from, with commas between them")
	return cmd
}

// options reads the flags.
func (o *verifyFlags) options(now time.Time) (survey.VerifyOptions, error) {
	v := survey.VerifyOptions{Project: o.project, Domains: o.domains, Repair: o.repair && !o.dryRun, Now: time.Now}
	var err error
	if v.Depth, err = verification.ParseDepth(o.depth); err != nil {
		return v, err
	}
	for flag, text := range map[string]string{"since": o.since, "for": o.lasting} {
		if text == "" {
			continue
		}
		lasting, err := configured.ParseAge(text)
		if err != nil {
			return v, fmt.Errorf("--%s: %q is not a number of days, weeks or hours, such as 30d", flag, text)
		}
		if flag == "since" {
			v.Since = now.Add(-lasting)
		} else {
			v.Until = now.Add(lasting)
		}
	}
	if o.rate != "" {
		v.BytesPerSecond, err = parseSize(o.rate)
	}
	if err == nil && len(o.copies) > 0 && !o.repair {
		err = errors.New("--copy is for --repair")
	}
	return v, err
}

func (b *openedBank) verify(ctx context.Context, f *bankFlags, flags verifyFlags, id string, out, errOut io.Writer) (err error) {
	o, err := flags.options(time.Now())
	if err != nil {
		return usage(err)
	}
	o.Bank, o.Checkpoints, o.Keys = b.bank, b.checkpoints, b.domains
	if o.ID = id; id != "" {
		if o.Project, err = b.projectOf(ctx, o.Project, id); err != nil {
			return err
		}
	}
	for _, path := range flags.copies {
		c, err := openCopy(ctx, path)
		if err != nil {
			return err
		}
		b.close = append(b.close, c.Close)
		o.Copies = append(o.Copies, c)
	}
	states := verifiedStates{folder: flags.stateFolder, known: map[string]*verification.State{}}
	if flags.stateFolder != "" {
		o.State = states.of
	}
	p := f.progress(errOut)
	o.Progress = func(what string, done, total int64) { p.bytes(what)(done, total) }
	found, err := survey.Verify(ctx, o)
	p.end()
	if err != nil && b.domains == nil && karbor.KindOf(err) == karbor.Unavailable && !karbor.IsTransient(err) {
		err = &keyError{err}
	}
	// What was done counts, also when the run was broken off.
	if err = errors.Join(err, states.save()); err != nil {
		return err
	}
	if err := printVerified(f, out, found); err != nil {
		return err
	}
	if !found.Good() {
		return errDamaged
	}
	return nil
}

// openCopy opens a file bank that is there.
func openCopy(ctx context.Context, path string) (bank.Bank, error) {
	b := &openedBank{}
	err := (&bankFlags{path: path}).openPath(ctx, b)
	return b.bank, err
}

// parseSize reads a number of bytes: 1000, 50MiB, 1GiB.
func parseSize(text string) (int64, error) {
	var n int64
	var unit string
	if _, err := fmt.Sscanf(text, "%d%s", &n, &unit); err != nil && unit != "" {
		n = 0
	}
	shift, known := map[string]int{"": 0, "B": 0, "KiB": 10, "MiB": 20, "GiB": 30}[unit]
	if !known || n <= 0 || n > 1<<32 {
		return 0, fmt.Errorf("%q is no number of bytes, such as 50MiB", text)
	}
	return n << shift, nil
}

// verifiedDomain is what karbord bank verify prints of a domain as JSON.
type verifiedDomain struct {
	Domain  string          `json:"domain"`
	Depth   string          `json:"depth"`
	Keyless bool            `json:"keyless"`
	Packs   int             `json:"packs"`
	Bytes   int64           `json:"bytes"`
	Known   int             `json:"known_good"`
	Left    int             `json:"left"`
	Streams int             `json:"streams"`
	Damaged []damagedObject `json:"damaged"`
	Hurt    []hurtStream    `json:"hurt"`
	Mended  []mendedObject  `json:"mended"`
}

type damagedObject struct {
	Key     string `json:"key"`
	Missing bool   `json:"missing"`
	Needed  bool   `json:"needed"`
	Text    string `json:"text"`
}

type hurtStream struct {
	Checkpoint string `json:"checkpoint"`
	Resource   string `json:"resource"`
	Stream     string `json:"stream"`
	Bytes      int64  `json:"lost_bytes"`
	Text       string `json:"text"`
}

type mendedObject struct {
	Key  string `json:"key"`
	Good bool   `json:"good"`
	Text string `json:"text"`
}

// verified is what karbord bank verify prints as JSON.
type verified struct {
	Domains []verifiedDomain `json:"domains"`
	// ChunkStreams is the number of streams in the clear.
	ChunkStreams int          `json:"chunk_streams"`
	Left         int          `json:"left"`
	Broken       []hurtStream `json:"broken"`
	// Lost is what checkpoints had, and have no more.
	Lost []survey.LostObject `json:"lost"`
	// Lists says of how many checkpoints that is known.
	Lists survey.Lists `json:"lists"`
}

func showVerified(v *survey.Verified) verified {
	out := verified{Domains: []verifiedDomain{}, ChunkStreams: v.Streams, Left: v.Left, Broken: []hurtStream{}, Lost: append([]survey.LostObject{}, v.Lost...), Lists: v.Lists}
	for _, d := range v.Domains {
		r := d.Result
		one := verifiedDomain{Domain: d.Name, Depth: string(r.Depth), Keyless: d.Keyless, Packs: r.Packs, Bytes: r.Bytes, Known: r.Known, Left: r.Left,
			Streams: r.Streams, Damaged: []damagedObject{}, Hurt: []hurtStream{}, Mended: []mendedObject{}}
		for _, x := range r.Damaged {
			one.Damaged = append(one.Damaged, damagedObject{x.Key, x.Missing, x.Needed, x.Sentence()})
		}
		for _, h := range r.Hurt {
			one.Hurt = append(one.Hurt, hurtStream{h.Stream.Project + "/" + h.Stream.Checkpoint, h.Stream.Resource, h.Stream.Name, h.Bytes, h.Sentence()})
		}
		for _, m := range d.Mended {
			one.Mended = append(one.Mended, mendedObject{m.Key, m.Done || m.Sound, m.Why})
		}
		out.Domains = append(out.Domains, one)
	}
	for _, s := range v.Broken {
		out.Broken = append(out.Broken, hurtStream{Checkpoint: s.Checkpoint, Resource: string(s.Node), Stream: s.Name, Text: s.Why})
	}
	return out
}

func printVerified(f *bankFlags, out io.Writer, found *survey.Verified) error {
	v := showVerified(found)
	if f.format == "json" {
		return f.printer(out).Show(v)
	}
	s := &sections{out: out}
	hurt := func(h hurtStream) {
		s.printf("hurt     checkpoint %s, %s, stream %s: %s\n", h.Checkpoint, h.Resource, h.Stream, printable(h.Text))
	}
	for _, d := range v.Domains {
		for _, x := range d.Damaged {
			s.printf("damaged  %s\n", printable(x.Text))
		}
		for _, h := range d.Hurt {
			hurt(h)
		}
		for _, m := range d.Mended {
			if m.Good {
				s.printf("mended   %s\n", m.Key)
			} else {
				s.printf("lost     %s: %s\n", m.Key, printable(m.Text))
			}
		}
		s.printf("domain %s, %s: %d streams, %d packs (%s) looked at, %d known to be good, %d left; %d damaged, %d streams hurt\n",
			d.Domain, d.Depth, d.Streams, d.Packs, size(d.Bytes), d.Known, d.Left, len(d.Damaged), len(d.Hurt))
	}
	for _, h := range v.Broken {
		hurt(h)
	}
	for _, l := range v.Lost {
		s.printf("missing  checkpoint %s, %s: %s\n", l.Checkpoint, printable(cmp.Or(string(l.Node), l.Place)), printable(l.Why))
	}
	if v.ChunkStreams > 0 || v.Left > 0 {
		s.printf("in the clear: %d streams looked at, %d left; %d damaged\n", v.ChunkStreams, v.Left, len(v.Broken))
	}
	if v.Lists != (survey.Lists{}) {
		s.printf("lists of contents: %d checkpoints compared with theirs; %d could not be opened, %d have none\n", v.Lists.Compared, v.Lists.Closed, v.Lists.Unlisted)
	}
	return s.err
}

// verifiedStates are files that keep what verifications found good, one for each domain.
type verifiedStates struct {
	folder string
	known  map[string]*verification.State
	failed []error
}

func (s *verifiedStates) path(domain string) string {
	return filepath.Join(s.folder, domain+".verified")
}

// of gives what is known of a domain. A file that is damaged counts as none: then all is
// looked at again.
func (s *verifiedStates) of(domain string) *verification.State {
	state := verification.NewState()
	text, err := os.ReadFile(s.path(domain))
	if err == nil && state.UnmarshalBinary(text) != nil {
		state = verification.NewState()
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		s.failed = append(s.failed, fmt.Errorf("reading what was found good: %w", err))
	}
	s.known[domain] = state
	return state
}

// save writes what is known now.
func (s *verifiedStates) save() error {
	if len(s.known) == 0 {
		return errors.Join(s.failed...)
	}
	errs := append([]error{}, s.failed...)
	errs = append(errs, os.MkdirAll(s.folder, 0o700))
	for domain, state := range s.known {
		text, err := state.MarshalBinary()
		if err == nil {
			err = replaceFile(s.path(domain), text)
		}
		errs = append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("keeping what was found good: %w", err)
	}
	return nil
}

// replaceFile writes a file that is whole at any time.
func replaceFile(path string, text []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}
