package cli

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/karbor/karbor/internal/cli/session"
)

// root is the whole command of a run that has no surroundings.
func root() *cobra.Command { return command(session.New(Options{})) }

// every calls visit for each command below c that does something itself.
func every(c *cobra.Command, visit func(path string, c *cobra.Command)) {
	for _, sub := range c.Commands() {
		if sub.HasSubCommands() {
			every(sub, visit)
			continue
		}
		visit(strings.TrimPrefix(sub.CommandPath(), "karbor "), sub)
	}
}

func TestEveryCommandExplainsItself(t *testing.T) {
	every(root(), func(path string, c *cobra.Command) {
		if c.Short == "" || strings.HasSuffix(c.Short, ".") {
			t.Errorf("%s: the short text is %q", path, c.Short)
		}
		if strings.TrimSpace(c.Example) == "" {
			t.Errorf("%s has no example", path)
		}
		c.Flags().VisitAll(func(f *pflag.Flag) {
			if f.Usage == "" {
				t.Errorf("%s: --%s has no usage text", path, f.Name)
			}
		})
	})
}

func TestExamplesAreCommandLinesThatParse(t *testing.T) {
	word := regexp.MustCompile(`'[^']*'|"[^"]*"|[^\s'"]+`)
	every(root(), func(path string, c *cobra.Command) {
		for line := range strings.SplitSeq(c.Example, "\n") {
			line = strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(line), "CHECKPOINT=$("), ")")
			line, _, _ = strings.Cut(line, " > ")
			line, _, _ = strings.Cut(line, " < ")
			words := word.FindAllString(line, -1)
			if words[0] != "karbor" {
				continue
			}
			for i := range words {
				words[i] = strings.Trim(words[i], `'"`)
			}
			c, rest, err := root().Find(words[1:])
			if err != nil || strings.TrimPrefix(c.CommandPath(), "karbor ") != path {
				t.Errorf("%q runs %q, error %v", line, c.CommandPath(), err)
				continue
			}
			if err := c.ParseFlags(rest); err != nil {
				t.Errorf("%q: %v", line, err)
				continue
			}
			if err := c.ValidateArgs(c.Flags().Args()); err != nil {
				t.Errorf("%q: %v", line, err)
			}
		}
	})
}

// TestTheTenantsTableListsEveryCommand compares the table of commands with what
// there is: path and arguments.
func TestTheTenantsTableListsEveryCommand(t *testing.T) {
	page, err := os.ReadFile("../../docs/tenants/README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(page), "| command | what it does |\n")
	var documented []string
	code := regexp.MustCompile("`([^`]+)`")
	for line := range strings.SplitSeq(table, "\n") {
		if !strings.HasPrefix(line, "|") {
			break
		}
		for _, found := range code.FindAllStringSubmatch(strings.Split(line, "|")[1], -1) {
			documented = append(documented, found[1])
		}
	}
	var there []string
	every(root(), func(_ string, c *cobra.Command) {
		there = append(there, strings.TrimSuffix(strings.TrimPrefix(c.UseLine(), "karbor "), " [flags]"))
	})
	slices.Sort(documented)
	slices.Sort(there)
	if diff := cmp.Diff(there, documented); diff != "" {
		t.Errorf("the commands (-) and the table in docs/tenants/README.md (+):\n%s", diff)
	}
}

func TestEveryListTakesTheSameFlags(t *testing.T) {
	every(root(), func(path string, c *cobra.Command) {
		if c.Name() != "list" && c.Name() != "instances" || path == "protectable list" {
			return
		}
		for _, name := range []string{"limit", "marker", "sort", "all-projects", "project"} {
			if c.Flags().Lookup(name) == nil && path != "service list" {
				t.Errorf("%s has no --%s", path, name)
			}
		}
	})
}
