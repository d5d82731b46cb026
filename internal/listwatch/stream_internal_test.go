package listwatch

import (
	"io"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestEndOfAnEarlierAnswer: client-go repeats a watch request after some responses, and
// the end of a response that it has dropped is not the end of the watch.
func TestEndOfAnEarlierAnswer(t *testing.T) {
	t.Parallel()
	lw := New(Config{Resource: "jobs", Logger: slog.New(slog.DiscardHandler)})
	s := &stream{owner: lw}
	lw.setStream(s)
	earlier, last := s.open(), s.open()
	s.end(earlier, io.ErrUnexpectedEOF)
	_, err := lw.State()
	require.Nil(t, err)
	s.end(last, io.ErrUnexpectedEOF)
	_, err = lw.State()
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
}
