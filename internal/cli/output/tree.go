package output

import (
	"fmt"
	"io"
	"strings"

	"github.com/karbor/karbor"
)

// Tree draws a resource graph as a tree with box characters, below title.
// What several resources share is drawn in full once; later it stands there
// with "(as above)". note, if not nil, gives a text to put behind a resource.
func Tree(w io.Writer, title string, g *karbor.Graph, note func(karbor.Resource) string) error {
	var roots []*karbor.Node
	for _, n := range g.Nodes() {
		if len(g.Parents(n)) == 0 {
			roots = append(roots, n)
		}
	}
	t := &tree{graph: g, note: note, drawn: map[karbor.NodeKey]bool{}}
	t.out.WriteString(title + "\n")
	t.branches(roots, "")
	if _, err := io.WriteString(w, t.out.String()); err != nil {
		return fmt.Errorf("drawing the graph: %w", err)
	}
	return nil
}

type tree struct {
	graph *karbor.Graph
	note  func(karbor.Resource) string
	drawn map[karbor.NodeKey]bool
	out   strings.Builder
}

func (t *tree) branches(nodes []*karbor.Node, before string) {
	for i, n := range nodes {
		branch, further := "├── ", "│   "
		if i == len(nodes)-1 {
			branch, further = "└── ", "    "
		}
		t.out.WriteString(before + branch + label(n))
		again := t.drawn[n.Key()]
		t.drawn[n.Key()] = true
		if t.note != nil && !again {
			if s := t.note(n.Resource); s != "" {
				t.out.WriteString("  " + s)
			}
		}
		if again {
			t.out.WriteString("  (as above)\n")
			continue
		}
		t.out.WriteString("\n")
		t.branches(t.graph.Children(n), before+further)
	}
}

func label(n *karbor.Node) string {
	word := n.Type.Word()
	if word == "" {
		word = string(n.Type)
	}
	if n.Name == "" || n.Name == n.ID {
		return fmt.Sprintf("%s %s", word, n.ID)
	}
	return fmt.Sprintf("%s %s (%s)", word, n.Name, n.ID)
}
