//go:build unix && !linux

package containers

import (
	"os/exec"
	"syscall"
)

// processAttributes puts the process into its own process group. Systems other than
// Linux cannot kill it automatically when this program dies.
func processAttributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

type starter struct{}

func (*starter) start(cmd *exec.Cmd) error { return cmd.Start() }

func (*starter) close() {}
