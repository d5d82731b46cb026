package follow

import (
	"bytes"
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/kontinue/kontinue/internal/fakecluster/containers"
)

// burst is the number of lines that are written at once, with the same timestamp.
const burst = 50

// prefix is before the number of a line.
const prefix = "line "

// line returns a line of the log, which are numbered from 1.
func line(n int) string { return prefix + strconv.Itoa(n) + "\n" }

// lineNumber returns the number of a line with a timestamp, or 0.
func lineNumber(text []byte) int {
	_, number, _ := bytes.Cut(text, []byte(" "+prefix))
	n, _ := strconv.Atoi(string(bytes.TrimSuffix(number, []byte("\n"))))
	return n
}

// size returns the size of the first n lines in bytes.
func size(n int) int64 {
	total := n * len(line(0))
	for longer := 10; longer <= n; longer *= 10 { // from there on lines have a digit more
		total += n - longer + 1
	}
	return int64(total)
}

// writeLines is the container of the step.
func (o Options) writeLines(ctx context.Context, spec containers.Spec) containers.Exit {
	ticker := time.NewTicker(time.Second * burst / time.Duration(o.Rate))
	defer ticker.Stop()
	for n := 0; n < o.Lines; {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return containers.Exit{Code: containers.ExitKilled}
		}
		var text strings.Builder
		for end := min(o.Lines, n+burst); n < end; {
			n++
			text.WriteString(line(n))
		}
		if _, err := fmt.Fprint(spec.Log, text.String()); err != nil {
			return containers.Exit{Code: 1, Message: err.Error()}
		}
	}
	return containers.Exit{}
}
