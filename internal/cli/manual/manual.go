// Package manual writes manual pages of commands, in the macros of man(7).
package manual

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Header is what stands at the head and the foot of every page.
type Header struct {
	// Source is the program with its version, such as "karbor 1.0".
	Source string
	// Manual is the name of the manual.
	Manual string
}

// WriteTree writes a page in section 1 for c and for every command below it into
// dir, which is made if it is not there. "karbor plan list" becomes
// karbor-plan-list.1.
func WriteTree(c *cobra.Command, h Header, dir string) (err error) {
	if err := os.MkdirAll(dir, 0o755); err != nil { //nolint:gosec // manual pages are for everybody
		return fmt.Errorf("making the folder of the pages: %w", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fmt.Errorf("opening the folder of the pages: %w", err)
	}
	defer func() { _ = root.Close() }() // nothing is buffered in it
	return writeTree(c, h, root)
}

func writeTree(c *cobra.Command, h Header, root *os.Root) error {
	f, err := root.OpenFile(name(c)+".1", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("writing the page of %s: %w", c.CommandPath(), err)
	}
	if err := Write(f, c, h); err != nil {
		_ = f.Close() // the first error says more
		return err
	}
	if err := f.Close(); err != nil {
		return fmt.Errorf("writing the page of %s: %w", c.CommandPath(), err)
	}
	for _, sub := range c.Commands() {
		if !shown(sub) {
			continue
		}
		if err := writeTree(sub, h, root); err != nil {
			return err
		}
	}
	return nil
}

// shown reports whether there is a page of a command: none of cobra's own help.
func shown(c *cobra.Command) bool { return c.IsAvailableCommand() && c.Name() != "help" }

func name(c *cobra.Command) string { return strings.ReplaceAll(c.CommandPath(), " ", "-") }

// Write writes the page of one command.
func Write(w io.Writer, c *cobra.Command, h Header) error {
	var b strings.Builder
	fmt.Fprintf(&b, ".TH %s 1 \"\" %s %s\n", quote(strings.ToUpper(name(c))), quote(h.Source), quote(h.Manual))
	fmt.Fprintf(&b, ".SH NAME\n%s \\- %s\n", escape(name(c)), escape(c.Short))
	fmt.Fprintf(&b, ".SH SYNOPSIS\n\\fB%s\\fR\n", escape(c.UseLine()))
	section(&b, "DESCRIPTION", paragraphs(first(c.Long, c.Short+".")))
	section(&b, "COMMANDS", commands(c))
	section(&b, "OPTIONS", options(c.NonInheritedFlags()))
	section(&b, "OPTIONS OF EVERY COMMAND", options(c.InheritedFlags()))
	if c.Example != "" {
		section(&b, "EXAMPLES", ".nf\n"+escape(unindent(c.Example))+"\n.fi\n")
	}
	section(&b, "SEE ALSO", related(c))
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("writing the page of %s: %w", c.CommandPath(), err)
	}
	return nil
}

func section(b *strings.Builder, title, text string) {
	if text != "" {
		fmt.Fprintf(b, ".SH %s\n%s", quote(title), text)
	}
}

func first(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}

// paragraphs sets text, whose empty lines divide paragraphs; one whose lines are
// indented is set as it is.
func paragraphs(text string) string {
	var b strings.Builder
	for p := range strings.SplitSeq(strings.TrimSpace(text), "\n\n") {
		if strings.HasPrefix(p, "  ") {
			fmt.Fprintf(&b, ".PP\n.nf\n%s\n.fi\n", escape(p))
			continue
		}
		fmt.Fprintf(&b, ".PP\n%s\n", escape(p))
	}
	return b.String()
}

func commands(c *cobra.Command) string {
	var b strings.Builder
	for _, sub := range c.Commands() {
		if shown(sub) {
			fmt.Fprintf(&b, ".TP\n\\fB%s\\fR\n%s\n", escape(sub.Use), escape(sub.Short))
		}
	}
	return b.String()
}

func options(flags *pflag.FlagSet) string {
	var b strings.Builder
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Hidden {
			return
		}
		head := "--" + f.Name
		if f.Shorthand != "" {
			head = "-" + f.Shorthand + ", " + head
		}
		word, usage := pflag.UnquoteUsage(f)
		word = strings.TrimSuffix(word, "Array") // it is given several times, a text each
		fmt.Fprintf(&b, ".TP\n\\fB%s\\fR", escape(head))
		if word != "" {
			fmt.Fprintf(&b, " \\fI%s\\fR", escape(word))
		}
		switch f.DefValue {
		case "", "0", "0s", "false", "[]":
		default:
			usage += " (default " + f.DefValue + ")"
		}
		fmt.Fprintf(&b, "\n%s\n", escape(usage))
	})
	return b.String()
}

func related(c *cobra.Command) string {
	var pages []string
	if c.HasParent() {
		pages = append(pages, name(c.Parent()))
	}
	for _, sub := range c.Commands() {
		if shown(sub) {
			pages = append(pages, name(sub))
		}
	}
	for i, p := range pages {
		pages[i] = "\\fB" + escape(p) + "\\fR(1)"
	}
	if len(pages) == 0 {
		return ""
	}
	return strings.Join(pages, ",\n") + "\n"
}

// escape makes text of roff: a backslash and a hyphen are themselves, and no line is
// taken for a request.
func escape(text string) string {
	text = strings.NewReplacer(`\`, `\e`, "-", `\-`).Replace(text)
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		if strings.HasPrefix(line, ".") || strings.HasPrefix(line, "'") {
			lines[i] = `\&` + line
		}
	}
	return strings.Join(lines, "\n")
}

// quote makes one argument of a request.
func quote(text string) string { return `"` + strings.ReplaceAll(escape(text), `"`, `""`) + `"` }

// unindent takes the indent off that help texts have.
func unindent(text string) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		lines[i] = strings.TrimPrefix(line, "  ")
	}
	return strings.Join(lines, "\n")
}
