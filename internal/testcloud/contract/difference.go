package contract

import (
	_ "embed"
	"fmt"
	"sync"

	"github.com/goccy/go-yaml"
)

//go:embed differences.yaml
var differenceText []byte

// difference is one way in which the simulator may answer differently.
type difference struct {
	ID     string `yaml:"id"`
	Real   string `yaml:"real"`
	Sim    string `yaml:"sim"`
	Reason string `yaml:"reason"`
}

// differences gives the list by id. A list that can't be read is a fault of
// this package: its own test finds it, and here it counts as empty.
var differences = sync.OnceValue(func() map[string]difference {
	list, _ := parseDifferences(differenceText)
	return list
})

func parseDifferences(text []byte) (map[string]difference, error) {
	var list []difference
	if err := yaml.UnmarshalWithOptions(text, &list, yaml.Strict()); err != nil {
		return nil, fmt.Errorf("reading the list of differences: %w", err)
	}
	byID := map[string]difference{}
	for _, d := range list {
		if d.ID == "" || d.Real == "" || d.Sim == "" || d.Reason == "" {
			return nil, fmt.Errorf("the difference %q lacks a member", d.ID)
		}
		if _, twice := byID[d.ID]; twice {
			return nil, fmt.Errorf("the difference %q is listed twice", d.ID)
		}
		byID[d.ID] = d
	}
	return byID, nil
}
