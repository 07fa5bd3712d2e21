package manual_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"

	"github.com/karbor/karbor/internal/cli/manual"
)

func tree() *cobra.Command {
	run := func(*cobra.Command, []string) {}
	root := &cobra.Command{Use: "tool", Short: "Do things"}
	root.PersistentFlags().BoolP("quiet", "q", false, "say nothing")
	thing := &cobra.Command{Use: "thing", Short: "Things"}
	add := &cobra.Command{Use: "add NAME...", Short: "Add things", Run: run,
		Long:    "Adds things.\n.so is no request, and 'x' none either.\n\n  as it is -- here\n\nEnd \\ of it.",
		Example: "  tool thing add a\n  tool thing add b"}
	add.Flags().StringArray("colour", nil, "its `NAME`")
	add.Flags().Int("size", 3, "how large")
	hidden := &cobra.Command{Use: "hidden", Short: "Not for you", Hidden: true, Run: run}
	thing.AddCommand(add, hidden)
	root.AddCommand(thing)
	return root
}

const page = `.TH "TOOL\-THING\-ADD" 1 "" "tool 1" "Tools"
.SH NAME
tool\-thing\-add \- Add things
.SH SYNOPSIS
\fBtool thing add NAME... [flags]\fR
.SH "DESCRIPTION"
.PP
Adds things.
\&.so is no request, and 'x' none either.
.PP
.nf
  as it is \-\- here
.fi
.PP
End \e of it.
.SH "OPTIONS"
.TP
\fB\-\-colour\fR \fINAME\fR
its NAME
.TP
\fB\-\-size\fR \fIint\fR
how large (default 3)
.SH "OPTIONS OF EVERY COMMAND"
.TP
\fB\-q, \-\-quiet\fR
say nothing
.SH "EXAMPLES"
.nf
tool thing add a
tool thing add b
.fi
.SH "SEE ALSO"
\fBtool\-thing\fR(1)
`

func TestPageHasAllThatHelpTells(t *testing.T) {
	add, _, err := tree().Find([]string{"thing", "add"})
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := manual.Write(&out, add, manual.Header{Source: "tool 1", Manual: "Tools"}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(page, out.String()); diff != "" {
		t.Errorf("page (-want +got):\n%s", diff)
	}
}

func TestTreeHasAPageForEachCommandThatIsShown(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "man1")
	for range 2 { // pages are replaced
		if err := manual.WriteTree(tree(), manual.Header{}, dir); err != nil {
			t.Fatal(err)
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	if want := []string{"tool-thing-add.1", "tool-thing.1", "tool.1"}; !slices.Equal(want, names) {
		t.Errorf("pages %q, want %q", names, want)
	}
	if err := manual.WriteTree(tree(), manual.Header{}, filepath.Join(dir, "tool.1")); err == nil {
		t.Error("a folder that is a file is no error")
	}
}
