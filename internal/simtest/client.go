package simtest

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kontinue/kontinue"
)

// Log is a log that can be read while it is written. The zero value is empty.
type Log struct {
	mu sync.Mutex
	b  bytes.Buffer
}

// Write appends p.
func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

// String returns what was written so far.
func (l *Log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// Warnings returns the lines of level WARN, with quotes unescaped.
func (l *Log) Warnings() string {
	var lines []string
	for line := range strings.Lines(l.String()) {
		if strings.Contains(line, "level=WARN") {
			lines = append(lines, line)
		}
	}
	return strings.ReplaceAll(strings.Join(lines, ""), `\"`, `"`)
}

// NewClient returns a client that is not started and the log that it writes, at
// all levels. change, if not nil, changes its configuration. The client is
// stopped with the test.
func (w *World) NewClient(user string, change func(*kontinue.Config)) (*kontinue.Client, *Log) {
	w.Helper()
	log := &Log{}
	config := kontinue.Config{
		RESTConfig: w.Cluster.APIServer().Config(user), Namespace: "ns",
		Logger: slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.Level(-10)})),
	}
	if change != nil {
		change(&config)
	}
	client, err := kontinue.New(config)
	require.NoError(w, err)
	w.Cleanup(func() { _ = client.Stop(context.Background()) })
	return client, log
}

// StopClient stops the client, which must succeed, and returns how long that
// took.
func (w *World) StopClient(client *kontinue.Client) time.Duration {
	w.Helper()
	began := time.Now()
	require.NoError(w, client.Stop(context.Background()))
	return time.Since(began)
}
