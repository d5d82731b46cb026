package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
)

var errUsage = errors.New("usage: release api [-update] | diff [-base REV] | notes VERSION | prepare VERSION")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Stdout, ".", os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

// run executes a command on the repository in dir.
func run(ctx context.Context, out io.Writer, dir string, args []string) error {
	if len(args) == 0 {
		return errUsage
	}
	command := args[0]
	flags := flag.NewFlagSet(command, flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	update, base := false, ""
	switch command {
	case "api":
		flags.BoolVar(&update, "update", false, "write the files")
	case "diff":
		flags.StringVar(&base, "base", "", "the revision to compare with; default the last tag")
	}
	if err := flags.Parse(args[1:]); err != nil {
		return fmt.Errorf("%w: %w", errUsage, err)
	}
	switch rest := flags.Args(); {
	case command == "api" && len(rest) == 0:
		return checkListings(ctx, out, dir, update)
	case command == "diff" && len(rest) == 0:
		return diff(ctx, out, dir, base)
	case command == "notes" && len(rest) == 1:
		return printNotes(out, dir, rest[0])
	case command == "prepare" && len(rest) == 1:
		return prepare(ctx, out, dir, rest[0])
	}
	return errUsage
}
