// Command reader lists the checkpoints of a file bank, and gives the bytes of a stream or a sealed document.
//
// It is a second implementation of docs/format/layout1.md and repository.md, written from these pages alone, and shares no
// code with the product. It is there to show that the pages are enough to read a bank without Karbor, and to find the places
// where the product and the pages differ. It is strict: it refuses whatever the pages tell a reader to refuse.
package main

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
)

const usage = `reader reads a file bank without Karbor: its checkpoints, and the bytes of their streams.

  go run ./test/reader --bank DIR --list
  go run ./test/reader --bank DIR --checkpoint ID
  go run ./test/reader --bank DIR --checkpoint ID --resource volume/ID --key-file F > out
  go run ./test/reader --bank DIR --checkpoint ID --evidence DRILL --public-keys F > out
  go run ./test/reader --bank DIR --domain D --key-file F --manifest KEY > out
  go run ./test/reader --bank DIR --domain D --key-file F --document KEY > out

--list prints a line for each checkpoint: project, id, status, time, size and, if it can be read, the plan's name.
--checkpoint prints a line for each of its streams: resource, and name; what it had and has no more is an error. With --resource the bytes of that one are
given; --stream names one of several. A line for each drill of it with evidence follows; with --evidence the signed record of that one is given.
--public-keys is a file of public keys, PEM: evidence that none of them has signed is an error.
--domain is the key domain: the project's id, or the one for all projects of a provider.
--manifest is the key of the stream's manifest in the bank:
v1/checkpoints/<project>/<checkpoint>/nodes/<node key>/data/<name>/manifest
--document is the key of a document of a checkpoint, v1/checkpoints/<project>/<checkpoint>/...:
its text is given, opened if it is sealed.

One way in is needed for what is encrypted:
  --key-file F         a file with 64 hexadecimal digits: opens a slot of the kind file
  --passphrase-file F  a file with a passphrase in its first line: opens a slot of the kind passphrase
  --recovery-file F    a file with a recovery key: opens a slot of the kind recovery
  --master-key-file F  a file with the master key itself, 64 hexadecimal digits: needs no slot

Options:
  --index              look into the index first, and into packs that it does not name only where it has to
  --help               this text

What was wrong goes to standard error. The bytes written before an error are right, but not all of them.
`

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "reader:", err)
		os.Exit(1)
	}
}

// arguments are what was asked for.
type arguments struct {
	bank, domain, manifest, document string
	list, index                      bool
	checkpoint, resource, stream     string
	evidence, publicKeys             string
	files                            map[string]*string
}

// run does what the arguments say, and writes what was asked for to out.
func run(words []string, out io.Writer) error {
	set := flag.NewFlagSet("reader", flag.ContinueOnError)
	set.SetOutput(io.Discard)
	a := arguments{files: map[string]*string{}}
	for name, into := range map[string]*string{"bank": &a.bank, "domain": &a.domain, "manifest": &a.manifest, "document": &a.document,
		"checkpoint": &a.checkpoint, "resource": &a.resource, "stream": &a.stream, "evidence": &a.evidence, "public-keys": &a.publicKeys} {
		set.StringVar(into, name, "", "")
	}
	set.BoolVar(&a.list, "list", false, "")
	set.BoolVar(&a.index, "index", false, "")
	for _, name := range []string{"key-file", "passphrase-file", "recovery-file", "master-key-file"} {
		a.files[name] = set.String(name, "", "")
	}
	switch err := set.Parse(words); {
	case errors.Is(err, flag.ErrHelp):
		_, err = io.WriteString(out, usage)
		return err
	case err != nil:
		return fmt.Errorf("%w (--help says more)", err)
	}
	asked := 0
	for _, one := range []bool{a.list, a.checkpoint != "", a.manifest != "" && a.domain != "", a.document != "" && a.domain != ""} {
		if one {
			asked++
		}
	}
	if a.bank == "" || asked != 1 || set.NArg() > 0 {
		return errors.New("--bank, and one of --list, --checkpoint, --domain with --manifest, and --domain with --document are needed, " +
			"and nothing behind (--help says more)")
	}
	folder, err := openFolder(a.bank)
	if err != nil {
		return err
	}
	defer func() { _ = folder.Close() }() // it is only read
	buffered := bufio.NewWriterSize(out, 1<<20)
	if a.list || a.checkpoint != "" {
		err = a.readLayout(folder, buffered)
	} else {
		err = a.readRepository(folder, buffered)
	}
	return errors.Join(err, buffered.Flush())
}

// readRepository gives what lies under a key.
func (a *arguments) readRepository(from objects, out io.Writer) error {
	by, err := readWay(a.files)
	if err != nil {
		return err
	}
	r, err := openRepository(from, a.domain, by)
	if err != nil {
		return err
	}
	if a.document != "" {
		text, err := r.documentText(a.document)
		if err != nil {
			return err
		}
		_, err = out.Write(text)
		return err
	}
	r.useIndex = a.index
	return r.stream(a.manifest, writerSink{out})
}

// readLayout lists checkpoints or streams, or gives the bytes of a stream.
func (a *arguments) readLayout(from objects, out io.Writer) error {
	v := &vault{from: from, useIndex: a.index, domains: map[string]*repository{}}
	for _, path := range a.files {
		if *path == "" {
			continue
		}
		by, err := readWay(a.files)
		if err != nil {
			return err
		}
		v.by = &by
	}
	all, err := states(from)
	if err != nil {
		return err
	}
	for _, s := range all {
		switch {
		case a.list:
			plan := "-"
			if d, err := v.description(s); err == nil {
				plan = strconv.Quote(d.planName)
			}
			if _, err := fmt.Fprintf(out, "%s %s %s %s %d %s\n", s.project, s.checkpoint, s.status, s.createdAt, s.size, plan); err != nil {
				return err
			}
		case s.checkpoint == a.checkpoint:
			return a.readCheckpoint(v, s, out)
		}
	}
	if !a.list {
		return fmt.Errorf("there is no checkpoint %s", a.checkpoint)
	}
	return nil
}

// readCheckpoint lists the streams of a checkpoint, or gives the bytes of one.
func (a *arguments) readCheckpoint(v *vault, s state, out io.Writer) error {
	var keys []byte
	if a.publicKeys != "" {
		var err error
		if keys, err = os.ReadFile(a.publicKeys); err != nil {
			return fmt.Errorf("reading --public-keys: %w", err)
		}
	}
	if a.evidence != "" {
		return a.readEvidence(v, s, keys, out)
	}
	all, err := v.streams(s)
	if err != nil {
		return err
	}
	var chosen []found
	for _, one := range all {
		if a.resource == "" {
			if _, err := fmt.Fprintln(out, one.node, one.name); err != nil {
				return err
			}
		} else if one.node == a.resource && (a.stream == "" || a.stream == one.name) {
			chosen = append(chosen, one)
		}
	}
	switch {
	case a.resource == "":
		return errors.Join(a.readEvidence(v, s, keys, out), v.whole(s))
	case len(chosen) != 1:
		return fmt.Errorf("%d streams of %s may be meant", len(chosen), a.resource)
	}
	return v.stream(chosen[0], writerSink{out})
}

// readWay reads the one file that says how to get in.
func readWay(files map[string]*string) (way, error) {
	var found []way
	for name, path := range files {
		if *path == "" {
			continue
		}
		content, err := os.ReadFile(*path)
		if err != nil {
			return way{}, fmt.Errorf("reading --%s: %w", name, err)
		}
		one := way{}
		switch name {
		case "passphrase-file":
			line, _, _ := strings.Cut(string(content), "\n")
			one = way{kind: kindPassphrase, secret: []byte(strings.TrimSuffix(line, "\r"))}
		case "key-file":
			one.kind = kindFile
		case "recovery-file":
			one.kind = kindRecovery
		}
		switch {
		case one.kind == kindRecovery:
			one.secret, err = parseRecoveryKey(string(content))
		case one.kind != kindPassphrase:
			one.secret, err = parseKeyFile(string(content))
		}
		if err != nil {
			return way{}, fmt.Errorf("reading --%s: %w", name, err)
		}
		found = append(found, one)
	}
	if len(found) != 1 {
		return way{}, errors.New("one of --key-file, --passphrase-file, --recovery-file and --master-key-file is needed")
	}
	return found[0], nil
}
