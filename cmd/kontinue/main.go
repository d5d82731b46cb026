package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

// exitFailed is the exit code of the program if it fails itself, as that of docker run. A
// container's own exit code may be any other.
const exitFailed = 125

// terminal is where a command reads from and writes to.
type terminal struct {
	out, err io.Writer
	signals  <-chan os.Signal
}

func main() {
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	if !signal.Ignored(syscall.SIGHUP) { // by nohup
		signal.Notify(signals, syscall.SIGHUP) // the terminal is gone
	}
	os.Exit(execute(context.Background(), os.Args, terminal{out: os.Stdout, err: os.Stderr, signals: signals}))
}

// execute runs the program and returns its exit code.
func execute(ctx context.Context, args []string, t terminal) int {
	root := newRoot(args[0], t)
	root.SetArgs(args[1:])
	root.SetOut(t.out)
	root.SetErr(t.err)
	err := root.ExecuteContext(ctx)
	var exit *exitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit):
		if exit.err != nil {
			fmt.Fprintln(t.err, "error:", exit.err)
		}
		return exit.code
	default:
		fmt.Fprintln(t.err, "error:", err)
		return exitFailed
	}
}

// exitError is an exit code other than exitFailed, and what to print first, if anything.
type exitError struct {
	code int
	err  error
}

// Error returns what is printed.
func (e *exitError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit code %d", e.code)
	}
	return e.err.Error()
}

// Unwrap returns the error that is printed.
func (e *exitError) Unwrap() error { return e.err }
