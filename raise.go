package kontinue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/types"
)

// raise makes an outcome that an earlier attempt has recorded one of this attempt
// too, before it is given out in it.
//
// The child policy takes a run that was recorded in an earlier attempt for one that
// this attempt was never given, and may run the step again. That is right when the
// record was there at the time of the plan. But a run that this attempt has adopted
// without one, since it still ran or was given to nobody, may be recorded by a
// worker of the earlier attempt that is still alive. If that record stayed as it
// is, a worker that crashes after its function has got the result would find on its
// resume a failure of the earlier attempt, and run again what this attempt has
// already had.
//
// Only the attempt in the record changes, and only upwards: every reader gets the
// same outcome, and of several workers that raise it, of this attempt or of others,
// the highest attempt stays. A Job that is gone has nothing to raise, and nothing
// that a resume could mistake. A step whose plan knew the record, or which no other
// attempt records, costs no request here.
//
//go:noinline
func (s *step) raise(ctx context.Context, o *outcome, uid types.UID) error {
	if !s.unrecorded || o.Attempt >= s.attempt {
		return nil
	}
	err := s.client.jobs.Amend(ctx, o.namespace, o.job, uid, func(there string) (string, error) {
		return raised(there, s.attempt)
	})
	if err != nil && !errors.Is(err, ErrJobDeleted) {
		return fmt.Errorf("job %s/%s ended in attempt %d, and cannot be made a result of attempt %d (a resume may run the step again): %w",
			o.namespace, o.job, o.Attempt, s.attempt, err)
	}
	return nil
}

// raised is the text of a record with at least this attempt in it, and all else
// as it was, to the byte: also what this program does not know of.
func raised(text string, attempt int) (string, error) {
	fields := json.NewDecoder(strings.NewReader(text))
	_, err := fields.Token() // the opening brace
	for err == nil && fields.More() {
		var key json.Token
		var value json.RawMessage
		if key, err = fields.Token(); err == nil {
			err = fields.Decode(&value)
		}
		if err != nil || key != "attempt" {
			continue
		}
		there, err := strconv.Atoi(string(value))
		if err != nil || there >= attempt {
			return text, err
		}
		end := int(fields.InputOffset())
		return text[:end-len(value)] + strconv.Itoa(attempt) + text[end:], nil
	}
	return text, errors.Join(errors.New("the recorded outcome tells no attempt"), err)
}
