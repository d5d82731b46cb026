package kubeclient

import (
	"context"
	"log/slog"
)

// QuietLogger returns a logger that passes at most slog.LevelDebug on to l: below that
// client-go logs the bodies of requests, with everything that is in env and args. For
// nil it returns a logger that discards.
func QuietLogger(l *slog.Logger) *slog.Logger {
	if l == nil {
		return slog.New(slog.DiscardHandler)
	}
	if _, quiet := l.Handler().(debugAtMost); quiet {
		return l
	}
	return slog.New(debugAtMost{l.Handler()})
}

type debugAtMost struct{ slog.Handler }

func (h debugAtMost) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= slog.LevelDebug && h.Handler.Enabled(ctx, level)
}

func (h debugAtMost) WithAttrs(attrs []slog.Attr) slog.Handler {
	return debugAtMost{h.Handler.WithAttrs(attrs)}
}

func (h debugAtMost) WithGroup(name string) slog.Handler {
	return debugAtMost{h.Handler.WithGroup(name)}
}
