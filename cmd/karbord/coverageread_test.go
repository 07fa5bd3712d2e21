package main

import (
	"go/ast"
	"go/build/constraint"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/karbor/karbor"
)

// deed is what is tried of a plug-in, by the word that a mark has for it.
type deed string

const (
	protects     deed = "protect"
	restores     deed = "restore"
	verifies     deed = "verify"
	deletes      deed = "delete"
	overwrites   deed = "in-place"
	givesBack    deed = "undo-in-place"
	otherProject deed = "other-project"
	otherCloud   deed = "other-cloud"
	copied       deed = "copy"
	noOverwrite  deed = "no-in-place"
	noCopy       deed = "no-copy"
)

var deeds = []deed{protects, restores, verifies, deletes, overwrites, givesBack, otherProject, otherCloud, copied, noOverwrite, noCopy}

// deedOf gives the deed of an operation that plug-ins have hooks for.
var deedOf = map[karbor.OperationType]deed{
	karbor.Protect: protects, karbor.RestoreOperation: restores, karbor.Verify: verifies, karbor.Delete: deletes,
}

// suites says what the functions of protectiontest try of the plug-in of their room.
var suites = map[string][]deed{
	"Run":     {protects, restores, verifies, deletes},
	"Life":    {protects, restores, verifies, deletes},
	"Quiet":   {protects, restores, verifies, deletes},
	"Idle":    {protects, restores, verifies, deletes},
	"InPlace": {overwrites, givesBack},
}

const (
	// markPrefix begins the line, in the comment of a test or of what it calls, that says what is tried
	// there of which plug-ins: "//karbor:tries protect,restore of server,image". A plug-in is named by its
	// folder.
	markPrefix = "//karbor:tries "
	// anyone stands for every plug-in, where the service does all and asks none.
	anyone = "any"
)

// mark is what such a line says.
type mark struct {
	deeds    []deed
	subjects []string
}

// trial is a test of a deed.
type trial struct {
	name string
	// Real is for a test on a real cloud; suite for one that runs the conformance suite.
	real, suite bool
}

// trials are the tests of each deed, by the plug-in.
type trials map[string]map[deed][]trial

func (a trials) add(subject string, d deed, found trial) {
	if a[subject] == nil {
		a[subject] = map[deed][]trial{}
	}
	if !slices.Contains(a[subject][d], found) {
		a[subject][d] = append(a[subject][d], found)
	}
}

// of gives the names of the tests of a deed; those that run the suite come first.
func (a trials) of(subject string, d deed, onReal bool) []string {
	var suite, more []string
	for _, one := range a[subject][d] {
		switch {
		case one.real != onReal:
		case one.suite:
			suite = append(suite, one.name)
		case !slices.ContainsFunc(a[subject][d], func(o trial) bool { return o.suite && o.name == one.name }):
			more = append(more, one.name)
		}
	}
	slices.Sort(suite)
	slices.Sort(more)
	return append(suite, more...)
}

// folder is what the tests of one package say.
type folder struct {
	calls map[string][]string
	marks map[string][]mark
	real  map[string]bool
}

// readTrials reads all tests of the module. rooms are the folders of the plug-ins.
func readTrials(t *testing.T, rooms []string) trials {
	t.Helper()
	const top = "../.."
	all, packages := trials{}, map[string][]*ast.File{}
	files := token.NewFileSet()
	err := filepath.WalkDir(top, func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == "testdata" || d.Name() == "bin" || strings.HasPrefix(d.Name(), ".") && d.Name() != ".."):
			return filepath.SkipDir
		case d.IsDir() || !strings.HasSuffix(name, "_test.go"):
			return nil
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		file, err := parser.ParseFile(files, name, text, parser.ParseComments)
		if err != nil {
			return err
		}
		in, err := filepath.Rel(top, filepath.Dir(name))
		packages[filepath.ToSlash(in)] = append(packages[filepath.ToSlash(in)], file)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for in, list := range packages {
		subject := ""
		if slices.Contains(rooms, in) {
			subject = path.Base(in)
		}
		read := readFolder(t, files, list, rooms)
		read.collect(t, in, subject, all)
	}
	return all
}

func readFolder(t *testing.T, files *token.FileSet, list []*ast.File, rooms []string) folder {
	t.Helper()
	out := folder{map[string][]string{}, map[string][]mark{}, map[string]bool{}}
	for _, file := range list {
		onReal, read := needsCloud(file), 0
		for _, d := range file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok || f.Recv != nil || f.Body == nil {
				continue // nothing follows calls of methods
			}
			name := f.Name.Name
			out.real[name] = onReal
			ast.Inspect(f.Body, func(n ast.Node) bool {
				if call, ok := n.(*ast.CallExpr); ok {
					out.calls[name] = append(out.calls[name], callee(call))
				}
				return true
			})
			for _, line := range marksOf(f.Doc) {
				read++
				out.marks[name] = append(out.marks[name], readMark(t, files.Position(line.Pos()), line.Text, rooms))
			}
		}
		for _, group := range file.Comments {
			read -= len(marksOf(group))
		}
		if read != 0 {
			t.Errorf("%s: a mark is not in the comment of a function", files.Position(file.Pos()).Filename)
		}
	}
	return out
}

func marksOf(group *ast.CommentGroup) []*ast.Comment {
	if group == nil {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(group.List), func(c *ast.Comment) bool { return !strings.HasPrefix(c.Text, markPrefix) })
}

func readMark(t *testing.T, at token.Position, text string, rooms []string) mark {
	t.Helper()
	what, whose, ok := strings.Cut(strings.TrimPrefix(text, markPrefix), " of ")
	m := mark{subjects: strings.Split(whose, ",")}
	for word := range strings.SplitSeq(what, ",") {
		if !slices.Contains(deeds, deed(word)) {
			t.Errorf("%s: %q is nothing that is tried; there are %q", at, word, deeds)
		}
		m.deeds = append(m.deeds, deed(word))
	}
	for _, s := range m.subjects {
		if !ok || s != anyone && !slices.ContainsFunc(rooms, func(room string) bool { return path.Base(room) == s }) {
			t.Errorf("%s: %q names no plug-in by its folder", at, s)
		}
	}
	return m
}

// collect adds what the tests of a folder try: what they run of the suite, for the plug-in whose room it is,
// and what is marked, on them or on what they call.
func (f folder) collect(t *testing.T, in, room string, all trials) {
	t.Helper()
	used := map[string]bool{}
	for _, name := range slices.Sorted(maps.Keys(f.real)) {
		if !strings.HasPrefix(name, "Test") {
			continue
		}
		seen := map[string]bool{}
		f.reach(name, seen)
		for to := range seen {
			used[to] = true
			suite, _ := strings.CutPrefix(to, "protectiontest.")
			if suite != to && room != "" {
				for _, d := range suites[suite] {
					all.add(room, d, trial{name, f.real[name], true})
				}
			}
			for _, m := range f.marks[to] {
				for _, s := range m.subjects {
					for _, d := range m.deeds {
						all.add(s, d, trial{name, f.real[name], false})
					}
				}
			}
		}
	}
	for name := range f.marks {
		if !used[name] {
			t.Errorf("%s: no test calls %s, which is marked", in, name)
		}
	}
}

// reach adds a function and all that it calls.
func (f folder) reach(from string, seen map[string]bool) {
	if seen[from] {
		return
	}
	seen[from] = true
	for _, to := range f.calls[from] {
		f.reach(to, seen)
	}
}

// needsCloud reports whether a file is for a real OpenStack, or a real Kubernetes, only.
func needsCloud(file *ast.File) bool {
	for _, group := range file.Comments {
		for _, c := range group.List {
			if expr, err := constraint.Parse(c.Text); err == nil && (expr.String() == "openstack" || expr.String() == "kubernetes") {
				return true
			}
		}
	}
	return false
}

// callee names what is called: "f", or "protectiontest.F".
func callee(call *ast.CallExpr) string {
	switch f := call.Fun.(type) {
	case *ast.Ident:
		return f.Name
	case *ast.SelectorExpr:
		if p, ok := f.X.(*ast.Ident); ok && p.Name == "protectiontest" {
			return "protectiontest." + f.Sel.Name
		}
	}
	return ""
}
