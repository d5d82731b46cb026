package process_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/kontinue/kontinue/test/chaos/internal/process"
)

const variable = "KONTINUE_CHAOS_PROCESS_TEST"

// order is what the workers of these tests do.
type order struct {
	Print, Fail string
	Wait        bool
}

func (o *order) run(ctx context.Context) error {
	fmt.Print(o.Print)
	if o.Wait {
		<-ctx.Done()
	}
	if o.Fail != "" {
		return errors.New(o.Fail)
	}
	return nil
}

func TestMain(m *testing.M) {
	var o order
	if code, is := process.Main(variable, &o, o.run); is {
		os.Exit(code)
	}
	os.Exit(m.Run())
}

// TestWorkers: a worker gets its order, and its end says how it ended.
func TestWorkers(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		order  order
		send   syscall.Signal
		signal syscall.Signal
		code   int
		stderr string
	}{
		"done":       {order: order{Print: "ready"}},
		"failed":     {order: order{Print: "ready", Fail: "no room"}, code: 1, stderr: "worker: no room\n"},
		"killed":     {order: order{Print: "ready", Wait: true}, send: syscall.SIGKILL, signal: syscall.SIGKILL, code: -1},
		"terminated": {order: order{Print: "ready", Wait: true}, send: syscall.SIGTERM, code: process.ExitTerminated},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			command, err := process.Command(t.Context(), variable, c.order)
			require.NoError(t, err)
			var stderr bytes.Buffer
			command.Stderr = &stderr
			stdout, err := command.StdoutPipe()
			require.NoError(t, err)
			require.NoError(t, command.Start())
			printed := make([]byte, len("ready"))
			_, err = stdout.Read(printed)
			require.NoError(t, err)
			require.Equal(t, "ready", string(printed))
			if c.send != 0 {
				require.NoError(t, command.Process.Signal(c.send))
			}
			_ = command.Wait()
			require.Equal(t, c.signal, process.Signal(command.ProcessState))
			require.Equal(t, c.code, command.ProcessState.ExitCode())
			require.Equal(t, c.stderr, stderr.String())
		})
	}
}

// TestNoOrder: a process without an order is not a worker.
func TestNoOrder(t *testing.T) {
	t.Parallel()
	_, is := process.Main("KONTINUE_CHAOS_NO_SUCH_ORDER", &order{}, nil)
	require.False(t, is)
	_, err := process.Command(t.Context(), variable, func() {})
	require.ErrorContains(t, err, "order")
}
