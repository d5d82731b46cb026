package containers

import (
	"os/exec"
	"runtime"
	"sync"
	"syscall"
)

// processAttributes puts the process into its own process group, and makes the kernel
// kill it when this program dies in any way.
func processAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// starter starts processes from one thread that lives as long as it does:
// Pdeathsig is sent when the *thread* that started the process ends.
type starter struct {
	once     sync.Once
	requests chan startRequest
	ended    chan struct{}
}

type startRequest struct {
	cmd  *exec.Cmd
	done chan error
}

func (s *starter) start(cmd *exec.Cmd) error {
	s.once.Do(func() {
		s.requests = make(chan startRequest)
		s.ended = make(chan struct{})
		go s.run()
	})
	request := startRequest{cmd, make(chan error, 1)}
	s.requests <- request
	return <-request.done
}

func (s *starter) run() {
	defer close(s.ended)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for request := range s.requests {
		request.done <- request.cmd.Start()
	}
}

// close ends the thread. No process may be running.
func (s *starter) close() {
	s.once.Do(func() {})
	if s.requests != nil {
		close(s.requests)
		<-s.ended
		s.requests = nil
	}
}
