package journal

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// formatVersion is the version of the file's format. It is raised when a program that
// knows the old one would misread the new one.
const formatVersion = 1

// header is the first line of the file.
type header struct {
	// Format says what the file is.
	Format  string `json:"format"`
	Version int    `json:"version"`
	// RV is the resource version of the snapshot.
	RV uint64 `json:"rv"`
	// Objects is the number of lines of the snapshot.
	Objects int `json:"objects"`
}

const formatName = "kontinue/objects"

// ErrDamaged is wrapped by the error of a file that is not as this package wrote it.
var ErrDamaged = errors.New("the file is damaged; restore it from a copy, or move it away to start with an empty cluster")

// ErrNewer is wrapped by the error of a file that a newer version of this package wrote.
var ErrNewer = errors.New("it was written by a newer version of kontinue; use that one, or another directory")

// Load returns what the file holds, which is nothing if it does not exist. What follows
// the last line feed is ignored, since the program or the machine crashed in the middle of
// that write.
func Load(path string) (State, error) {
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return State{}, nil
	}
	if err != nil {
		return State{}, err
	}
	defer file.Close()
	l := loader{path: path, lines: bufio.NewReaderSize(file, 1<<20), objects: map[key]Entry{}}
	if err := l.load(); err != nil {
		return State{}, err
	}
	state := State{RV: l.rv, Objects: make([]Entry, 0, len(l.objects))}
	for _, e := range l.objects {
		state.Objects = append(state.Objects, e)
	}
	return state, nil
}

// loader reads one file.
type loader struct {
	path    string
	lines   *bufio.Reader
	number  int // of the line that was read last
	rv      uint64
	objects map[key]Entry
}

func (l *loader) load() error {
	var head header
	switch err := l.next(&head); {
	case errors.Is(err, io.EOF):
		return l.damaged("there is no header")
	case err != nil:
		return err
	case head.Format != formatName:
		return l.damaged("the header is not that of a journal")
	case head.Version > formatVersion:
		return fmt.Errorf("%s: format %d, and this program reads up to %d: %w", l.path, head.Version, formatVersion, ErrNewer)
	}
	for n := range head.Objects {
		var e Entry
		switch err := l.next(&e); {
		case errors.Is(err, io.EOF):
			// The snapshot was on the disk before the file got its name.
			return l.damaged(fmt.Sprintf("the file ends after %d of the %d objects of its snapshot", n, head.Objects))
		case err != nil:
			return err
		case len(e.Object) == 0 || e.RV > head.RV:
			return l.damaged("this is not an object of the snapshot")
		}
		l.objects[e.key()] = e
	}
	l.rv = head.RV
	for {
		var e Entry
		switch err := l.next(&e); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		case e.RV != l.rv+1:
			return l.damaged(fmt.Sprintf("resource version %d follows %d", e.RV, l.rv))
		}
		l.rv = e.RV
		if len(e.Object) == 0 {
			delete(l.objects, e.key())
		} else {
			l.objects[e.key()] = e
		}
	}
}

// next decodes the next line. It returns io.EOF after the last whole one.
func (l *loader) next(into any) error {
	line, err := l.lines.ReadBytes('\n')
	if err != nil {
		if errors.Is(err, io.EOF) {
			return io.EOF
		}
		return fmt.Errorf("reading the journal: %w", err)
	}
	l.number++
	if err := json.Unmarshal(line, into); err != nil {
		return l.damaged(err.Error())
	}
	return nil
}

func (l *loader) damaged(why string) error {
	return fmt.Errorf("%s: line %d: %s: %w", l.path, max(1, l.number), why, ErrDamaged)
}
