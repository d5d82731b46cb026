package bench

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"
)

// process is a running worker process.
type process struct {
	command *exec.Cmd
	in      io.WriteCloser
	out     *bufio.Reader
	stderr  bytes.Buffer
}

// start runs this program again as a worker process, with an order.
func start(ctx context.Context, o order) (*process, error) {
	text, err := json.Marshal(o)
	if err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	p := &process{command: exec.CommandContext(ctx, self)}
	p.command.Env = append(os.Environ(), workerEnv+"="+string(text))
	p.command.Stderr = &p.stderr
	p.command.WaitDelay = time.Second
	if p.in, err = p.command.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := p.command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p.out = bufio.NewReaderSize(out, 1<<20)
	return p, p.command.Start()
}

// ask sends a command and waits for the answer; an empty one only waits.
func (p *process) ask(command string) (figures, error) {
	if command != "" {
		if _, err := fmt.Fprintln(p.in, command); err != nil {
			return figures{}, p.explain(err)
		}
	}
	line, err := p.out.ReadBytes('\n')
	if err != nil {
		return figures{}, p.explain(err)
	}
	var f figures
	if err := json.Unmarshal(line, &f); err != nil {
		return f, p.explain(fmt.Errorf("%q: %w", line, err))
	}
	if f.Error != "" {
		return f, &styleError{f.Error}
	}
	return f, nil
}

// styleError says why a style could not run. It is the worker's own error, as opposed
// to a failure of the process.
type styleError struct{ text string }

func (e *styleError) Error() string { return e.text }

func (p *process) explain(err error) error {
	p.end()
	return fmt.Errorf("worker: %w: %s", err, strings.TrimSpace(p.stderr.String()))
}

// end kills the process, which has nothing left to do, and waits for it.
func (p *process) end() {
	_ = p.in.Close()
	_ = p.command.Process.Kill()
	_ = p.command.Wait() // it was killed
}
