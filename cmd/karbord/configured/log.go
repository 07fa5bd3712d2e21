package configured

import (
	"io"
	"log/slog"

	"github.com/karbor/karbor/internal/config"
)

// Logger makes the logger that the configuration asks for.
func Logger(w io.Writer, c config.Log) *slog.Logger {
	var level slog.Level
	// The configuration was checked: the level's name is known.
	_ = level.UnmarshalText([]byte(c.Level))
	o := &slog.HandlerOptions{Level: level}
	if c.Format == "json" {
		return slog.New(slog.NewJSONHandler(w, o))
	}
	return slog.New(slog.NewTextHandler(w, o))
}
