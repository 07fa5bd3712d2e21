package bankcommand

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/checkpoint/extraction"
	"github.com/karbor/karbor/internal/checkpoint/layout09"
	"github.com/karbor/karbor/internal/repository"
	"github.com/karbor/karbor/protection"
)

// extractOptions are the flags of karbord bank extract.
type extractOptions struct {
	project, stream, output string
	force                   bool
}

func extractCommand(f *bankFlags) *cobra.Command {
	o := extractOptions{}
	cmd := &cobra.Command{
		Use:   "extract CHECKPOINT [RESOURCE]",
		Short: "Restore one volume or image into a file, a device or standard output",
		Long: `Restore the bytes of one resource of a checkpoint, with nothing but the bank and, where it is
encrypted, a key: no service, database or cloud is needed. RESOURCE is the id of a volume, image
or other resource, its name, or as karbord bank ls CHECKPOINT prints it (volume/ID); it may be left
out if the checkpoint has one stream only.

Each byte is checked before it is written. A file is made beside its place, with holes where there
are only zero bytes, and takes its place when it is whole. What is there is overwritten only with
--force; a block device always needs that. "-o -" writes to standard output.`,
		Example: `  karbord bank extract 5f2c… --path /mnt/bank --key-file site.key -o volume.raw
  karbord bank extract 5f2c… volume/9d1e… --provider bank -o /dev/vg/restored --force
  karbord bank extract 5f2c… root-disk --path /mnt/bank -o - | qemu-img convert -f raw -O qcow2 /dev/stdin out.qcow2`,
		Args: cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			if o.output == "" {
				return usage(errors.New("-o is missing: a file, a device, or - for standard output"))
			}
			resource := ""
			if len(args) > 1 {
				resource = args[1]
			}
			if old := f.oldFolder(); old != "" {
				return withOld(old, func(c *layout09.Checkpoints) error {
					return extractOld(cmd.Context(), f, c, args[0], resource, o, cmd.OutOrStdout(), cmd.ErrOrStderr())
				})
			}
			return f.with(cmd.Context(), func(b *openedBank) error {
				return b.extract(cmd.Context(), f, args[0], resource, o, cmd.OutOrStdout(), cmd.ErrOrStderr())
			})
		},
	}
	flags := cmd.Flags()
	flags.StringVarP(&o.output, "output", "o", "", "file, device or named pipe to write to, or - for standard output")
	flags.BoolVar(&o.force, "force", false, "overwrite a file or device that is there")
	flags.StringVar(&o.stream, "stream", "", "which stream, of a resource that has several")
	flags.StringVar(&o.project, "project", "", "id of the checkpoint's project, which saves looking for it")
	return cmd
}

func (b *openedBank) extract(ctx context.Context, f *bankFlags, id, resource string, o extractOptions, out, errOut io.Writer) error {
	project, err := b.projectOf(ctx, o.project, id)
	if err != nil {
		return err
	}
	all, err := b.resources(ctx, project, id)
	if err != nil {
		return err
	}
	r, err := chooseStream(all, resource, o.stream)
	if err != nil {
		return err
	}
	streams, err := b.streams(project, id, r)
	if err != nil {
		return err
	}
	return extractStream(ctx, f, streams, r, o, out, errOut)
}

// extractStream writes a stream to its target, and tells of it.
func extractStream(ctx context.Context, f *bankFlags, streams protection.Repository, r listedResource, o extractOptions, out, errOut io.Writer) error {
	target := extraction.Target{Path: o.output, Force: o.force}
	if o.output == "-" {
		target = extraction.Target{Out: out, NoDigest: true} // there is no place to tell it
	}
	p := f.progress(errOut)
	done, err := extraction.Extract(ctx, streams, r.Stream, target, p.bytes(string(r.Resource)))
	p.end()
	if err != nil {
		return err
	}
	result := extracted{r.Resource, r.Stream, done}
	if o.output == "-" {
		return nil // standard output is the stream's
	}
	if f.format == "json" {
		return f.printer(out).Show(result)
	}
	_, err = fmt.Fprintf(out, "%s, stream %s: %s (%d bytes) in %s, of which %s are no holes\nsha256 %s\n",
		r.Resource, r.Stream, size(done.Size), done.Size, o.output, size(done.Written), done.SHA256)
	return err
}

// extracted is what karbord bank extract prints as JSON.
type extracted struct {
	Resource karbor.NodeKey `json:"resource"`
	Stream   string         `json:"stream"`
	extraction.Extracted
}

// streams gives the streams of a resource.
func (b *openedBank) streams(project, id string, r listedResource) (*repository.Streams, error) {
	section, err := b.checkpoints.Data(project, id, r.Resource)
	if err != nil {
		return nil, err
	}
	if b.domains == nil && r.Domain != "" {
		return nil, &keyError{fmt.Errorf("the stream is encrypted under the key of the domain %s: --key-file, --passphrase-file or --recovery-file is needed", r.Domain)}
	}
	return repository.NewStreams(repository.StreamsOptions{Domains: b.domains, Project: project, Section: section})
}

// chooseStream finds the stream that is meant by a resource and a name of a stream, which may
// both be "".
func chooseStream(all []listedResource, resource, stream string) (listedResource, error) {
	var found []listedResource
	var there []string
	for _, r := range all {
		if r.Stream == "" {
			continue
		}
		there = append(there, string(r.Resource)+" "+r.Stream)
		if (resource == "" || r.means(resource)) && (stream == "" || stream == r.Stream) {
			found = append(found, r)
		}
	}
	switch {
	case len(found) == 1 && found[0].Damage != "":
		return found[0], fmt.Errorf("the stream %s of %s: %s: %w", found[0].Stream, found[0].Resource, found[0].Damage, errDamaged)
	case len(found) == 1:
		return found[0], nil
	case len(there) == 0:
		return listedResource{}, karbor.Errorf(karbor.NotFound, "the checkpoint has no streams of bytes")
	case len(found) == 0:
		return listedResource{}, karbor.Errorf(karbor.NotFound, "the checkpoint has no such stream; it has: %s", strings.Join(there, ", "))
	}
	return listedResource{}, usage(fmt.Errorf("several streams may be meant: name the RESOURCE and --stream; there are: %s", strings.Join(there, ", ")))
}

// means reports whether a text names the resource.
func (r listedResource) means(text string) bool {
	word, id, _ := strings.Cut(string(r.Resource), "/")
	plain, _, _ := strings.Cut(id, "@")
	if kind, of, typed := strings.Cut(text, "#"); typed { // OS::Cinder::Volume#ID
		return karbor.ResourceType(kind).Word() == word && of == plain
	}
	return text == string(r.Resource) || text == id || text == plain || r.Name != "" && text == r.Name
}
