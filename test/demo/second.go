package main

import (
	"context"
	"fmt"
	"strconv"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
)

// mostOfFirst is how much of what the first checkpoint has added to the bank the second one
// may add, in per cent: a guest has changed a block between them.
const mostOfFirst = 10

// figures are what a checkpoint holds and has added to the bank, in bytes.
type figures struct {
	size, added, stored int64
	// known is false where the service does not tell.
	known bool
}

// checkpoint is one as karbor prints it.
type checkpoint struct {
	operation
	Figures map[string]struct {
		Size        int64
		New, Stored *int64
	}
}

func (c *checkpoint) figures() figures {
	f := figures{known: len(c.Figures) > 0}
	for _, one := range c.Figures {
		f.size += one.Size
		if one.New == nil || one.Stored == nil {
			f.known = false
			continue
		}
		f.added += *one.New
		f.stored += *one.Stored
	}
	return f
}

// again changes the application a little, and protects it once more. The second checkpoint is
// the one that is restored.
func (s *story) again(ctx context.Context) error {
	if err := s.cloud.Reboot(ctx, s.app); err != nil {
		return err
	}
	s.out.note("the first server was rebooted")
	var cp checkpoint
	err := s.karbor.JSON(ctx, true, &cp, "checkpoint", "create", s.providerID, s.planID, "--wait", "--timeout", "30m")
	if err != nil {
		return err
	}
	s.firstID, s.checkpointID = s.checkpointID, cp.ID
	s.second = cp.figures()
	if err := s.nothingLeft(ctx, s.app); err != nil {
		return err
	}
	if !s.first.known || !s.second.known {
		s.out.note("the service does not tell what the checkpoints have added to its bank")
		return nil
	}
	whole := s.whole()
	s.out.note("it added %d bytes to the bank, %s of what the first did", s.second.stored, percent(s.second.stored, whole))
	if s.second.stored*100 > whole*mostOfFirst {
		return fmt.Errorf("the second checkpoint of the almost unchanged application added %d bytes, %s of the first's %d; at most %d %% are in order",
			s.second.stored, percent(s.second.stored, whole), whole, mostOfFirst)
	}
	return nil
}

// whole is what the first checkpoint has added to the bank. One that was killed in the middle
// does not count what it had stored before: then it is what the application holds.
func (s *story) whole() int64 {
	if s.crash {
		return s.data
	}
	return s.first.stored
}

func percent(part, whole int64) string {
	if whole == 0 {
		return "-"
	}
	return strconv.FormatFloat(100*float64(part)/float64(whole), 'f', 2, 64) + " %"
}

// checkpoints prints the table of the two checkpoints.
func (s *story) checkpoints() {
	if !s.first.known || !s.second.known {
		return
	}
	t := newTable(s.out.w)
	t.AppendHeader(table.Row{"Checkpoint", "Bytes", "New", "Stored", "Of the first"})
	t.AppendRow(table.Row{"the first", s.first.size, s.first.added, s.first.stored, percent(s.first.stored, s.whole())})
	t.AppendRow(table.Row{"the second, restored", s.second.size, s.second.added, s.second.stored, percent(s.second.stored, s.whole())})
	var right []table.ColumnConfig
	for n := 2; n <= 5; n++ {
		right = append(right, table.ColumnConfig{Number: n, Align: text.AlignRight})
	}
	t.SetColumnConfigs(right)
	t.Render()
}
