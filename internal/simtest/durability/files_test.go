package durability_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kontinue/kontinue"
	"github.com/kontinue/kontinue/internal/fakecluster/apiserver"
	"github.com/kontinue/kontinue/internal/fakecluster/containers"
	"github.com/kontinue/kontinue/internal/simtest"
)

const canary = "s3cret-canary"

// scriptWithFiles has a file and a script that are in a Secret.
func scriptWithFiles() *kontinue.ScriptOptions {
	o := simtest.Script("a", canary+strings.Repeat("#\n", 100<<10))
	o.Files = map[string]string{"/etc/app/token": canary + "\x00\xff"}
	return o
}

// reads makes the containers check their files, and counts them.
func reads(w *simtest.World, o *kontinue.ScriptOptions) *atomic.Int32 {
	var right atomic.Int32
	w.Cluster.On(containers.Match{}, containers.Script{Do: func(_ context.Context, spec containers.Spec) containers.Exit {
		command := spec.Container.Command
		if spec.Files["/etc/app/token"] == o.Files["/etc/app/token"] && spec.Files[command[len(command)-1]] == o.Command && len(command) == 2 {
			right.Add(1)
		}
		return containers.Exit{Code: 3}
	}})
	return &right
}

// TestKilledAroundSecret: a worker is killed at each request of a step with files, before or
// after it was carried out. The next one finishes the step, which runs once, with its files.
func TestKilledAroundSecret(t *testing.T) {
	t.Parallel()
	for n := 1; n <= 4; n++ {
		for _, before := range []bool{true, false} {
			t.Run(fmt.Sprintf("request %d, before %t", n, before), func(t *testing.T) {
				t.Parallel()
				simtest.Run(t, func(w *simtest.World) {
					o := scriptWithFiles()
					right := reads(w, o)
					first := w.Worker()
					first.KillAt(n, before)
					if _, err := kontinue.RunScript(first.ExecutionContext(), o); err == nil {
						require.Equal(w, 3, first.Requests(""), "two creates and a record")
					}
					r, err := kontinue.RunScript(w.Worker().ExecutionContext(), o)
					require.NoError(w, err)
					require.Equal(w, int32(3), simtest.ExitCode(r))
					require.Empty(w, r.Drift())
					require.Empty(w, r.Mutations())
					require.Equal(w, int32(1), right.Load())
					w.RequireRanOnce(map[string]int{"a": 1})
					require.Len(w, secrets(w), 1)
					require.Equal(w, w.Jobs()["a"][0].UID, secrets(w)[0].OwnerReferences[0].UID)
				})
			})
		}
	}
}

func secrets(w *simtest.World) []corev1.Secret {
	w.Helper()
	list, err := w.Admin().CoreV1().Secrets("ns").List(context.Background(), metav1.ListOptions{})
	require.NoError(w, err)
	return list.Items
}

// TestNothingOfFilesIsShown: neither errors nor logs, the Job, its record, the result nor
// progress have a part of a file or of a long script, also if admission quotes the Secret.
func TestNothingOfFilesIsShown(t *testing.T) {
	t.Parallel()
	simtest.Run(t, func(w *simtest.World) {
		o := scriptWithFiles()
		o.Logs = &simtest.Log{}
		right := reads(w, o)
		var refusals atomic.Int32
		w.Cluster.APIServer().AddAdmission(func(_ context.Context, a *apiserver.Attributes) error {
			secret, ok := a.Object.(*corev1.Secret)
			if !ok || refusals.Add(1) > 2 {
				return nil
			}
			raw, err := json.Marshal(secret)
			require.NoError(w, err)
			quoted := fmt.Errorf("%v %s", secret.Data, raw)
			if refusals.Load() == 1 {
				return apierrors.NewForbidden(schema.GroupResource{Resource: "secrets"}, secret.Name, quoted)
			}
			return apierrors.NewInternalError(quoted)
		})
		var shown strings.Builder
		var log simtest.Log
		for range 3 {
			client, _ := w.NewClient("worker", func(c *kontinue.Config) {
				c.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
				c.OnProgress = func(p kontinue.Progress) { fmt.Fprintf(&shown, "%+v\n", p) }
			})
			require.NoError(w, client.Start(w.Context()))
			ktx, err := client.NewExecutionContext(w.Context(), w.Execution)
			require.NoError(w, err)
			r, err := kontinue.RunScript(ktx, o)
			if err != nil {
				for ; err != nil; err = unwrap(err) {
					fmt.Fprintf(&shown, "%v %+v %#v\n", err, err, err)
				}
				continue
			}
			raw, err := json.Marshal(r)
			require.NoError(w, err)
			fmt.Fprintf(&shown, "%s %v %v %v\n", raw, r.Err(), r.Drift(), r.Mutations())
		}
		// A changed script is a drift, of which only digests are shown.
		changed := scriptWithFiles()
		changed.Files["/etc/app/token"], changed.Command = canary+"2", changed.Command+canary
		r, err := kontinue.RunScript(w.Worker().ExecutionContext(), changed)
		require.NoError(w, err)
		fmt.Fprintf(&shown, "%v %v\n", r.Drift(), r.Mutations())

		require.Equal(w, int32(1), right.Load())
		require.Equal(w, int32(3), refusals.Load())
		raw, err := json.Marshal(w.Jobs())
		require.NoError(w, err)
		pods, err := json.Marshal(w.Pods())
		require.NoError(w, err)
		everything := shown.String() + log.String() + string(raw) + string(pods)
		require.Contains(w, everything, "may quote the contents")
		for _, form := range []string{canary, base64.StdEncoding.EncodeToString([]byte(canary))[:12], fmt.Sprint([]byte(canary))[1:20]} {
			require.NotContains(w, everything, form)
		}
	})
}

// unwrap returns what err wraps; of several the last one.
func unwrap(err error) error {
	switch x := err.(type) { //nolint:errorlint // It walks the chain itself.
	case interface{ Unwrap() error }:
		return x.Unwrap()
	case interface{ Unwrap() []error }:
		all := x.Unwrap()
		return all[len(all)-1]
	}
	return nil
}
