package kontinuetest

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/kontinue/kontinue/internal/flight"
)

// clientIndex is what has to be known of a client's lines before they are played: a request
// comes before the line with its answer.
type clientIndex struct {
	answers map[string][]time.Duration // by request: when the answers came
	last    time.Duration              // the time of the last line
}

// fileIndex is that of all clients.
type fileIndex struct {
	clients map[string]*clientIndex
	damaged int // lines that cannot be read, but for the last one
}

// readIndex reads a recording for the first time, without keeping its objects.
func readIndex(file string) (*fileIndex, error) {
	index := &fileIndex{clients: map[string]*clientIndex{}}
	damaged, err := eachLine(file, func(line *flight.Line) error {
		c := index.clients[line.ID]
		switch {
		case line.Kind == flight.KindClient && line.Format > flight.Format:
			return fmt.Errorf("the recording has format %d, and this version of kontinue reads up to %d: use the version that recorded it, or a later one", line.Format, flight.Format)
		case line.Kind == flight.KindClient && (line.Format < 1 || line.Client == nil || line.ID == ""):
			return errors.New("it is no recording of Config.Record")
		case line.Kind == flight.KindClient && c == nil:
			index.clients[line.ID] = &clientIndex{answers: map[string][]time.Duration{}}
			return nil
		case c == nil:
			return fmt.Errorf("it begins within the recording of client %q: put the parts of the file together, from the first one", line.ID)
		}
		c.last = max(c.last, line.At)
		if line.Kind == flight.KindAnswer || line.Kind == flight.KindOpen {
			if line.Request == nil {
				return fmt.Errorf("a line of kind %q has no request", line.Kind)
			}
			key := line.Request.Key()
			c.answers[key] = append(c.answers[key], line.At)
		}
		return nil
	})
	index.damaged = damaged
	if err == nil && len(index.clients) == 0 {
		err = errors.New("it is no recording of Config.Record")
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return index, nil
}

// eachLine calls do with each line of a file, and returns how many cannot be read. The last
// one may be cut off, and does not count then.
func eachLine(file string, do func(*flight.Line) error) (damaged int, err error) {
	in, err := os.Open(file)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	for lines, number := bufio.NewReaderSize(in, 1<<20), 1; ; number++ {
		text, err := lines.ReadBytes('\n')
		cut := errors.Is(err, io.EOF)
		if err != nil && !cut {
			return damaged, err
		}
		var line flight.Line
		switch unreadable := json.Unmarshal(text, &line); {
		case len(text) <= 1: // a line was begun and not ended before
		case unreadable == nil:
			if err := do(&line); err != nil {
				return damaged, fmt.Errorf("line %d: %w", number, err)
			}
		case !cut:
			damaged++
		}
		if cut {
			return damaged, nil
		}
	}
}
