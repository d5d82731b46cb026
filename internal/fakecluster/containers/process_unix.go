//go:build unix && !linux

package containers

import (
	"os/exec"
	"syscall"
)

// processAttributes puts the process into a group of its own. Other systems
// than Linux cannot have it killed when this program dies without a word.
func processAttributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

type starter struct{}

func (*starter) start(cmd *exec.Cmd) error { return cmd.Start() }

func (*starter) close() {}
