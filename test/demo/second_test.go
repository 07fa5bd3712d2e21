package main

import (
	"encoding/json"
	"testing"
)

func TestFiguresOfACheckpointAreAddedUp(t *testing.T) {
	for text, want := range map[string]figures{
		`{"figures": {"a": {"size": 10, "new": 4, "stored": 2}, "b": {"size": 5, "new": 0, "stored": 1}}}`: {15, 4, 3, true},
		`{"figures": {"a": {"size": 10}}}`: {size: 10},
		`{}`:                               {},
	} {
		var c checkpoint
		if err := json.Unmarshal([]byte(text), &c); err != nil {
			t.Fatal(err)
		}
		if got := c.figures(); got != want {
			t.Errorf("%s: %+v", text, got)
		}
	}
	if percent(3, 300) != "1.00 %" || percent(1, 0) != "-" {
		t.Error("per cents are wrong")
	}
}
