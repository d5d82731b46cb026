package cluster

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"time"
)

const acceptRetry = 100 * time.Millisecond

// dialFunc has the signature of [net.Dialer.DialContext].
type dialFunc func(ctx context.Context, network, address string) (net.Conn, error)

// forwarder forwards a loopback port of the host to an address inside the cluster, for
// programs that cannot dial into the cluster.
type forwarder struct {
	listener net.Listener
	cancel   context.CancelFunc
	wait     sync.WaitGroup
}

// newForwarder listens on a free port of 127.0.0.1.
func newForwarder(dial dialFunc, target string) (*forwarder, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	f := &forwarder{listener: listener, cancel: cancel}
	f.wait.Go(func() {
		for {
			conn, err := listener.Accept()
			if errors.Is(err, net.ErrClosed) {
				return
			}
			if err != nil { // such as too many open files, which may pass
				select {
				case <-ctx.Done():
					return
				case <-time.After(acceptRetry):
				}
				continue
			}
			f.wait.Go(func() { relay(ctx, conn, dial, target) })
		}
	})
	return f, nil
}

func (f *forwarder) address() string { return f.listener.Addr().String() }

// stop closes all connections and waits for their goroutines.
func (f *forwarder) stop() {
	_ = f.listener.Close()
	f.cancel()
	f.wait.Wait()
}

// relay copies in both directions until one side closes or ctx is done.
func relay(ctx context.Context, client net.Conn, dial dialFunc, target string) {
	defer client.Close()
	server, err := dial(ctx, "tcp", target)
	if err != nil {
		return // the client sees a closed connection, as with a dead server
	}
	defer server.Close()
	stop := context.AfterFunc(ctx, func() {
		_ = client.Close()
		_ = server.Close()
	})
	defer stop()
	var wait sync.WaitGroup
	for _, pair := range [][2]net.Conn{{client, server}, {server, client}} {
		wait.Go(func() {
			_, _ = io.Copy(pair[0], pair[1])
			// Close the other direction, too. All traffic is TLS, which does not use
			// half-closed connections.
			_ = pair[0].Close()
			_ = pair[1].Close()
		})
	}
	wait.Wait()
}
