package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
)

// measure is something that is measured.
type measure int

const (
	firstCPU measure = iota
	secondCPU
	secondHinted
	otherCPU
	verifyAll
	restoreOne
	firstBytes
	secondBytes
	otherBytes
	storedAll
	peakMemory
)

var cpuOf = map[string]measure{"a": firstCPU, "a2": secondCPU, "b": otherCPU}

var bytesOf = map[string]measure{"a": firstBytes, "a2": secondBytes, "b": otherBytes}

// rows are what is printed, with the goals for the ratios to others.
var rows = []struct {
	what  measure
	title string
	goals map[string]float64
}{
	{firstCPU, "first backup, CPU s", map[string]float64{"restic": 0.40, "kopia": 0.65, "borg": 0.85}},
	{secondCPU, "second backup, no hints, CPU s", map[string]float64{"restic": 0.35, "kopia": 0.35, "borg": 0.35}},
	{secondHinted, "second backup, with hints, CPU s", map[string]float64{"restic": 0.15, "kopia": 0.15, "borg": 0.15}},
	{otherCPU, "another volume, CPU s", nil},
	{verifyAll, "verify all data, CPU s", map[string]float64{"restic": 0.50, "kopia": 0.25, "borg": 0.35}},
	{restoreOne, "restore of a volume, CPU s", map[string]float64{"restic": 0.65, "kopia": 0.60, "borg": 0.45}},
	{firstBytes, "stored by the first, MiB", nil},
	{secondBytes, "added by the second, MiB", map[string]float64{"restic": 0.45, "kopia": 0.35, "borg": 0.35}},
	{otherBytes, "added by another volume, MiB", nil},
	{storedAll, "stored of three volumes, MiB", map[string]float64{"restic": 0.90, "kopia": 0.82, "borg": 0.72}},
	{peakMemory, "resident memory, MiB", nil},
}

// results are what was seen, by program and measure, round by round.
type results map[string]map[measure][]float64

func (r results) add(tool string, what measure, value float64) {
	if r[tool] == nil {
		r[tool] = map[measure][]float64{}
	}
	r[tool][what] = append(r[tool][what], value)
}

// spread is the median of some values, with the smallest and the largest.
func spread(values []float64, digits int) string {
	if len(values) == 0 {
		return "-"
	}
	sorted := slices.Sorted(slices.Values(values))
	text := fmt.Sprintf("%.*f", digits, median(sorted))
	if len(sorted) > 1 {
		text += fmt.Sprintf(" (%.*f–%.*f)", digits, sorted[0], digits, sorted[len(sorted)-1])
	}
	return text
}

func median(sorted []float64) float64 {
	n := len(sorted)
	if n%2 == 1 {
		return sorted[n/2]
	}
	return (sorted[n/2-1] + sorted[n/2]) / 2
}

// print writes two tables: what each program took, and Karbor's ratios to the others.
func (r results) print(out io.Writer, v *volumes, tools []*tool) error {
	all := []string{}
	others := []string{}
	for _, t := range tools {
		all = append(all, t.name)
		if t.name != ownCommand {
			others = append(others, t.name)
		}
	}
	title := fmt.Sprintf("Volumes of %d MiB; the second differs from the first in %d MiB of extents of %d KiB.",
		v.image>>20, v.changed>>20, extentSize>>10)
	lines := [][]string{append([]string{""}, all...)}
	for _, row := range rows {
		line := []string{row.title}
		for _, name := range all {
			line = append(line, r.cell(name, row.what))
		}
		lines = append(lines, line)
	}
	if err := table(out, title, lines); err != nil {
		return err
	}
	lines = [][]string{append([]string{""}, others...)}
	for _, row := range rows {
		if row.goals == nil {
			continue
		}
		line := []string{strings.TrimSuffix(strings.TrimSuffix(row.title, ", CPU s"), ", MiB")}
		for _, name := range others {
			line = append(line, r.ratio(row.what, name, row.goals[name]))
		}
		lines = append(lines, line)
	}
	return table(out, "Karbor's ratio to the others, round by round: median (smallest–largest), and the goal.", lines)
}

// table writes lines, of which the first is the head, as Markdown has it.
func table(out io.Writer, title string, lines [][]string) error {
	t := tabwriter.NewWriter(out, 0, 0, 1, ' ', 0)
	rule := make([]string, len(lines[0]))
	for i := range rule {
		rule[i] = "---"
	}
	for _, line := range slices.Insert(lines, 1, rule) {
		if _, err := fmt.Fprintf(t, "| %s\t|\n", strings.Join(line, "\t| ")); err != nil {
			return err
		}
	}
	if _, err := fmt.Fprintf(out, "\n%s\n\n", title); err != nil {
		return err
	}
	return t.Flush()
}

// cell gives what a program took; of memory, the most of all its runs.
func (r results) cell(tool string, what measure) string {
	values := r[tool][what]
	if what == peakMemory {
		return fmt.Sprintf("%.0f at most", slices.Max(append(values, 0)))
	}
	return spread(values, 1)
}

// ratio gives Karbor's ratio to another program, in the same round.
func (r results) ratio(what measure, other string, goal float64) string {
	theirs := r[other][what]
	if what == secondHinted {
		theirs = r[other][secondCPU] // they take no hints
	}
	var ratios []float64
	for i, ours := range r[ownCommand][what] {
		if i < len(theirs) && theirs[i] > 0 {
			ratios = append(ratios, ours/theirs[i])
		}
	}
	text := spread(ratios, 2)
	if len(ratios) == 0 {
		return text
	}
	met := "met"
	if median(slices.Sorted(slices.Values(ratios))) > goal {
		met = "missed"
	}
	return fmt.Sprintf("%s, ≤ %.2f %s", text, goal, met)
}
