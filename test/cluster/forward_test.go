package cluster

import (
	"context"
	"errors"
	"io"
	"net"
	"testing"

	"github.com/stretchr/testify/require"
)

// echoServer sends back what it reads on every connection.
func echoServer(t *testing.T) (address string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			_, _ = io.Copy(conn, conn)
			_ = conn.Close()
		}
	}()
	t.Cleanup(func() {
		_ = listener.Close()
		<-done
	})
	return listener.Addr().String()
}

func TestForwarderRelays(t *testing.T) {
	t.Parallel()
	f, err := newForwarder((&net.Dialer{}).DialContext, echoServer(t))
	require.NoError(t, err)
	conn, err := net.Dial("tcp", f.address())
	require.NoError(t, err)
	defer conn.Close()
	_, err = conn.Write([]byte("ping"))
	require.NoError(t, err)
	answer := make([]byte, 4)
	_, err = io.ReadFull(conn, answer)
	require.NoError(t, err)
	require.Equal(t, "ping", string(answer))

	f.stop() // also closes open connections
	_, err = conn.Read(answer)
	require.Error(t, err)
	_, err = net.Dial("tcp", f.address())
	require.Error(t, err)
}

func TestForwarderClosesWhenTargetIsDown(t *testing.T) {
	t.Parallel()
	f, err := newForwarder(func(context.Context, string, string) (net.Conn, error) {
		return nil, errors.New("down")
	}, "")
	require.NoError(t, err)
	defer f.stop()
	conn, err := net.Dial("tcp", f.address())
	require.NoError(t, err)
	defer conn.Close()
	_, err = conn.Read(make([]byte, 1))
	require.Error(t, err)
}
