package karbor

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func drawGraph(t *rapid.T) *Graph {
	g := &Graph{}
	n := rapid.IntRange(0, 12).Draw(t, "nodes")
	for i := range n {
		r := Resource{
			Type: rapid.SampledFrom(ResourceTypes()).Draw(t, "type"),
			ID:   fmt.Sprintf("id-%d", i),
			Name: rapid.String().Draw(t, "name"),
		}
		if rapid.Bool().Draw(t, "extra") {
			r.ExtraInfo = map[string]string{"availability_zone": "nova"}
		}
		g.Add(r, rapid.SampledFrom([]string{"", "parent-1"}).Draw(t, "role"))
	}
	for i, from := range g.Nodes() {
		for _, to := range g.Nodes()[i+1:] {
			if rapid.IntRange(0, 2).Draw(t, "edge") == 0 {
				g.Connect(from, to)
			}
		}
	}
	return g
}

func nodesOf(g *Graph) []Node {
	var out []Node
	for _, n := range g.Nodes() {
		out = append(out, *n)
	}
	return out
}

func TestGraphReadsBackWhatItWrote(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := drawGraph(t)
		text, err := g.MarshalText()
		if err != nil {
			t.Fatal(err)
		}
		var back Graph
		if err := back.UnmarshalText(text); err != nil {
			t.Fatalf("reading %s: %v", text, err)
		}
		// Names with bytes that are no UTF-8 can't be written in JSON; rapid draws
		// none.
		if diff := cmp.Diff(nodesOf(g), nodesOf(&back)); diff != "" {
			t.Fatalf("graph differs (-wrote +read):\n%s", diff)
		}
	})
}

func TestGraphTextIsTheWireContracts(t *testing.T) {
	g := &Graph{}
	server := g.Add(Resource{Type: ServerType, ID: "s", Name: "web"}, "")
	g.Connect(server, g.Add(Resource{Type: VolumeType, ID: "v", Name: "disk", ExtraInfo: map[string]string{"availability_zone": "nova"}}, ""))
	text, err := g.MarshalText()
	if err != nil {
		t.Fatal(err)
	}
	want := `[{"0x0":["OS::Nova::Server","s","web",{}],"0x1":["OS::Cinder::Volume","v","disk",{"availability_zone":"nova"}]},[["0x0",["0x1"]]]]`
	if string(text) != want {
		t.Errorf("got  %s\nwant %s", text, want)
	}
}

func TestGraphNamesTheMembersOfACircle(t *testing.T) {
	g := &Graph{}
	a := g.Add(Resource{Type: ServerType, ID: "a"}, "")
	b := g.Add(Resource{Type: VolumeType, ID: "b"}, "")
	c := g.Add(Resource{Type: ImageType, ID: "c"}, "")
	g.Connect(a, b)
	g.Connect(b, c)
	g.Connect(c, b)
	err := g.Check()
	if err == nil || KindOf(err) != Invalid || !strings.Contains(err.Error(), "volume/b -> image/c -> volume/b") {
		t.Errorf("error is %v", err)
	}
}

func TestGraphSharesAChildAndKeepsRolesApart(t *testing.T) {
	g := &Graph{}
	image := Resource{Type: ImageType, ID: "i"}
	one, two := g.Add(image, "s1"), g.Add(image, "s2")
	if one == two || one.Key() != "image/i@s1" {
		t.Errorf("the images of two servers are %s and %s", one.Key(), two.Key())
	}
	if g.Add(image, "s1") != one {
		t.Error("the same node was added twice")
	}
}

func TestGraphRefusesWhatItCannotTrust(t *testing.T) {
	cases := map[string]string{
		"not JSON":       `{`,
		"one part":       `[{}]`,
		"unknown type":   `[{"0x0":["OS::Foo::Bar","a","n",{}]},[]]`,
		"bad id":         `[{"0x0":["OS::Nova::Server","../a","n",{}]},[]]`,
		"bad role":       `[{"0x0":["OS::Nova::Server","a","n",{"karbor_role":"../b"}]},[]]`,
		"same node":      `[{"0x0":["OS::Nova::Server","a","n",{}],"0x1":["OS::Nova::Server","a","m",{}]},[]]`,
		"edge from none": `[{"0x0":["OS::Nova::Server","a","n",{}]},[["0x9",["0x0"]]]]`,
		"edge to none":   `[{"0x0":["OS::Nova::Server","a","n",{}]},[["0x0",["0x9"]]]]`,
		"circle":         `[{"0x0":["OS::Nova::Server","a","n",{}]},[["0x0",["0x0"]]]]`,
		"short node":     `[{"0x0":["OS::Nova::Server"]},[]]`,
	}
	for name, text := range cases {
		t.Run(name, func(t *testing.T) {
			var g Graph
			if err := g.UnmarshalText([]byte(text)); KindOf(err) != Invalid || err == nil {
				t.Errorf("error is %v, want one of kind Invalid", err)
			}
		})
	}
}

func FuzzGraphText(f *testing.F) {
	f.Add(`[{"0x0":["OS::Nova::Server","a","n",{}],"0x1":["OS::Cinder::Volume","b","m",{}]},[["0x0",["0x1"]]]]`)
	f.Add(`[{},[]]`)
	f.Fuzz(func(t *testing.T, text string) {
		var g Graph
		if g.UnmarshalText([]byte(text)) != nil {
			return
		}
		again, err := g.MarshalText()
		if err != nil {
			t.Fatal(err)
		}
		var back Graph
		if err := back.UnmarshalText(again); err != nil {
			t.Fatalf("%s was read, %s is not: %v", text, again, err)
		}
		if diff := cmp.Diff(nodesOf(&g), nodesOf(&back)); diff != "" {
			t.Fatalf("graph differs:\n%s", diff)
		}
	})
}
