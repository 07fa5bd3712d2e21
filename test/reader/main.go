// Command reader gives the bytes of a stream out of a deduplicating repository in a file bank.
//
// It is a second implementation of docs/format/repository.md, written from that page alone, and shares no code with
// the product. It is there to show that the page is enough to read a bank without Karbor, and to find the places
// where the product and the page differ. It is strict: it refuses whatever the page tells a reader to refuse.
package main

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
)

const usage = `reader gives the bytes of a stream of a deduplicating repository in a file bank.

  go run ./test/reader --bank DIR --domain D --key-file F --manifest KEY > out

--domain is the key domain: the project's id, or the one for all projects of a provider.
--manifest is the key of the stream's manifest in the bank:
v1/checkpoints/<project>/<checkpoint>/nodes/<node key>/data/<name>/manifest

One way in is needed:
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

// run does what the arguments say, and writes the stream to out.
func run(arguments []string, out io.Writer) error {
	set := flag.NewFlagSet("reader", flag.ContinueOnError)
	set.SetOutput(io.Discard)
	bank := set.String("bank", "", "")
	domain := set.String("domain", "", "")
	manifest := set.String("manifest", "", "")
	index := set.Bool("index", false, "")
	files := map[string]*string{}
	for _, name := range []string{"key-file", "passphrase-file", "recovery-file", "master-key-file"} {
		files[name] = set.String(name, "", "")
	}
	switch err := set.Parse(arguments); {
	case errors.Is(err, flag.ErrHelp):
		_, err = io.WriteString(out, usage)
		return err
	case err != nil:
		return fmt.Errorf("%w (--help says more)", err)
	case *bank == "" || *domain == "" || *manifest == "" || set.NArg() > 0:
		return errors.New("--bank, --domain and --manifest are needed, and nothing behind (--help says more)")
	}
	way, err := readWay(files)
	if err != nil {
		return err
	}
	folder, err := openFolder(*bank)
	if err != nil {
		return err
	}
	defer func() { _ = folder.Close() }() // it is only read
	repository, err := openRepository(folder, *domain, way)
	if err != nil {
		return err
	}
	repository.useIndex = *index
	buffered := bufio.NewWriterSize(out, 1<<20)
	if err := repository.stream(*manifest, writerSink{buffered}); err != nil {
		return errors.Join(err, buffered.Flush())
	}
	return buffered.Flush()
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
