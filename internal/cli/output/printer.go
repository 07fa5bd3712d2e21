// Package output prints what the karbor command found, as a table, JSON, YAML,
// CSV or bare values, and draws resource graphs as trees.
package output

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"

	"github.com/karbor/karbor"
)

// Formats are the formats that a Printer knows.
func Formats() []string { return []string{"table", "json", "yaml", "csv", "value"} }

// Printer prints items. Columns, if any, chooses their members; a member is
// named as in the API ("provider_id") or as in a table's head ("Provider id").
type Printer struct {
	Out     io.Writer
	Format  string
	Columns []string
}

// record is one item with its members in the order of the API's answer.
type record struct {
	keys   []string
	values map[string]json.RawMessage
}

// List prints items. The default columns are those of a table, of CSV and of
// bare values; JSON and YAML have all members.
func List[T any](p Printer, items []T, defaults ...string) error {
	records := make([]record, 0, len(items))
	for _, item := range items {
		r, err := makeRecord(item)
		if err != nil {
			return err
		}
		records = append(records, r)
	}
	if p.Format == "json" || p.Format == "yaml" {
		return p.documents(records, defaults, members[T]())
	}
	columns, err := p.columns(defaults, members[T](), records)
	if err != nil {
		return err
	}
	var rows [][]string
	for _, r := range records {
		row := make([]string, 0, len(columns))
		for _, c := range columns {
			row = append(row, cell(r.values[c], false))
		}
		rows = append(rows, row)
	}
	heads := make([]string, 0, len(columns))
	for _, c := range columns {
		heads = append(heads, head(c))
	}
	return p.rows(heads, rows)
}

// Show prints one item, a member on each line, in alphabetical order as
// OpenStack's client does.
func (p Printer) Show(item any) error {
	r, err := makeRecord(item)
	if err != nil {
		return err
	}
	sorted := slices.Sorted(slices.Values(r.keys))
	columns, err := p.columns(sorted, membersOf(reflect.TypeOf(item)), []record{r})
	if err != nil {
		return err
	}
	if p.Format == "json" || p.Format == "yaml" {
		if len(p.Columns) == 0 {
			columns = r.keys
		}
		return p.document(r.pick(columns))
	}
	var rows [][]string
	for _, c := range columns {
		value := cell(r.values[c], p.Format == "table")
		if p.Format == "value" {
			rows = append(rows, []string{value})
		} else {
			rows = append(rows, []string{c, value})
		}
	}
	return p.rows([]string{"Field", "Value"}, rows)
}

func (p Printer) rows(heads []string, rows [][]string) error {
	switch p.Format {
	case "csv":
		w := csv.NewWriter(p.Out)
		if err := w.WriteAll(append([][]string{heads}, rows...)); err != nil {
			return fmt.Errorf("printing: %w", err)
		}
		return nil
	case "value":
		for _, row := range rows {
			if _, err := fmt.Fprintln(p.Out, strings.Join(row, " ")); err != nil {
				return fmt.Errorf("printing: %w", err)
			}
		}
		return nil
	}
	t := table.NewWriter()
	style := table.StyleDefault
	style.Format.Header = text.FormatDefault
	t.SetStyle(style)
	t.AppendHeader(row(heads))
	for _, r := range rows {
		t.AppendRow(row(r))
	}
	if _, err := fmt.Fprintln(p.Out, t.Render()); err != nil {
		return fmt.Errorf("printing: %w", err)
	}
	return nil
}

func row(cells []string) table.Row {
	r := make(table.Row, 0, len(cells))
	for _, c := range cells {
		r = append(r, c)
	}
	return r
}

// columns gives the chosen members, or the defaults. of are those that an item may
// have, also if none has them now.
func (p Printer) columns(defaults, of []string, records []record) ([]string, error) {
	if len(p.Columns) == 0 {
		return defaults, nil
	}
	known := slices.Clone(defaults)
	for _, r := range records {
		of = append(of, r.keys...)
	}
	for _, k := range of {
		if !slices.Contains(known, k) {
			known = append(known, k)
		}
	}
	var chosen []string
	for _, c := range p.Columns {
		i := slices.IndexFunc(known, func(k string) bool {
			return strings.EqualFold(k, c) || strings.EqualFold(head(k), c)
		})
		if i < 0 {
			return nil, karbor.Errorf(karbor.Invalid, "there is no column %q; there are: %s", c, strings.Join(known, ", "))
		}
		chosen = append(chosen, known[i])
	}
	return chosen, nil
}

func (p Printer) documents(records []record, defaults, of []string) error {
	columns, err := p.columns(defaults, of, records)
	if err != nil {
		return err
	}
	docs := make([]json.RawMessage, 0, len(records))
	for _, r := range records {
		keys := r.keys
		if len(p.Columns) > 0 {
			keys = columns
		}
		docs = append(docs, r.pick(keys))
	}
	all, err := plain(docs)
	if err != nil {
		return err
	}
	return p.document(all)
}

// document prints JSON text as JSON or YAML.
func (p Printer) document(text json.RawMessage) error {
	var out bytes.Buffer
	if p.Format == "yaml" {
		y, err := yaml.JSONToYAML(text)
		if err != nil {
			return fmt.Errorf("printing YAML: %w", err)
		}
		out.Write(y)
	} else {
		if err := json.Indent(&out, text, "", "  "); err != nil {
			return fmt.Errorf("printing JSON: %w", err)
		}
		out.WriteByte('\n')
	}
	if _, err := p.Out.Write(out.Bytes()); err != nil {
		return fmt.Errorf("printing: %w", err)
	}
	return nil
}
