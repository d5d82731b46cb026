package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"

	"github.com/kontinue/kontinue/test/cluster"
)

// serveCommand is the command with which up starts this program again, in the
// background. The background process owns the cluster, which ends with it.
const serveCommand = "serve"

// readyPrefix begins the line with the path of the kubeconfig that the background
// process writes to file descriptor 3. Any other line there is an error.
const (
	readyPrefix = "ready "
	reportFd    = 3
)

// up starts the background process and waits until its cluster is ready.
func up(ctx context.Context, args []string, stdout io.Writer) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	read, write, err := os.Pipe()
	if err != nil {
		return err
	}
	defer read.Close()
	cmd := exec.Command(self, append([]string{serveCommand}, args...)...)
	cmd.ExtraFiles = []*os.File{write}
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // survives the terminal
	err = cmd.Start()
	write.Close()
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { _ = cmd.Process.Signal(syscall.SIGTERM) })
	defer stop()
	report, err := io.ReadAll(read)
	if err != nil {
		return err
	}
	kubeconfig, ready := strings.CutPrefix(string(report), readyPrefix)
	if !ready {
		_ = cmd.Wait()
		if len(report) == 0 {
			return fmt.Errorf("the cluster's process exited (%s)", cmd.ProcessState)
		}
		return errors.New(string(report))
	}
	fmt.Fprintln(stdout, kubeconfig)
	return cmd.Process.Release()
}

// serve runs a cluster until ctx is done.
func serve(ctx context.Context, options cluster.Options) error {
	// The cluster's programs must not inherit the pipe, or up never reads EOF.
	syscall.CloseOnExec(reportFd)
	report := os.NewFile(reportFd, "report")
	start, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	c, err := cluster.Start(start, options)
	if err != nil {
		fmt.Fprint(report, err)
		return errors.Join(err, report.Close())
	}
	fmt.Fprint(report, readyPrefix, c.Kubeconfig(cluster.Admin))
	if err := report.Close(); err != nil {
		return err
	}
	<-ctx.Done()
	end, cancel := context.WithTimeout(context.Background(), stopLimit)
	defer cancel()
	return c.Stop(end)
}
