package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	watchtools "k8s.io/client-go/tools/watch"

	"github.com/kontinue/kontinue/pods"
	"github.com/kontinue/kontinue/test/cluster"
)

// The styles of the chain: ways to run one script after another. Each creates the same
// Jobs and differs in what it waits for.
const (
	chainKontinue  = "chain-kontinue"
	chainCondition = "chain-condition"
	chainPhase     = "chain-phase"
	chainKubectl   = "chain-kubectl"
	chainPoll      = "chain-poll"
)

// chainStyles are all styles of the chain, in the order of the table.
var chainStyles = []Style{chainKontinue, chainPhase, chainCondition, chainKubectl, chainPoll}

var chainDescriptions = map[Style]string{
	chainKontinue:  "**kontinue** (`RunScript`), result recorded",
	chainPhase:     "a watch on the pod, until its phase is final",
	chainCondition: "a watch on the Job, until its condition Complete or Failed",
	chainKubectl:   "`kubectl create`, `kubectl wait --for=condition=complete`",
	chainPoll:      "a GET of the Job every 2 s",
}

const (
	// script is what each container of a chain runs.
	script = "sleep 0.3"
	// scriptLimit bounds the time of one script.
	scriptLimit = 2 * time.Minute
)

// runScript runs the i-th script of a chain and returns when its end is known.
type runScript func(ctx context.Context, i int) error

// chainOf returns the experiment that runs N scripts one after another. The clock starts
// when open has returned.
func chainOf(open func(context.Context, *order, *rest.Config) (runScript, error)) func(context.Context, *order, *rest.Config) error {
	return func(ctx context.Context, o *order, config *rest.Config) error {
		ctx, cancel := context.WithTimeout(ctx, time.Duration(o.N+1)*scriptLimit)
		defer cancel()
		run, err := open(ctx, o, config)
		if err != nil {
			return err
		}
		began := time.Now()
		for i := range o.N {
			if err := run(ctx, i); err != nil {
				return fmt.Errorf("script %d: %w", i, err)
			}
		}
		reply(figures{Took: time.Since(began).Seconds()})
		return nil
	}
}

// scriptJob returns the Job that RunScript would create for the i-th script.
func scriptJob(o *order, i int) (*batchv1.Job, error) {
	spec, err := pods.ScriptSpec(pods.Script{Image: cluster.BusyboxImage, Command: script})
	if err != nil {
		return nil, err
	}
	return newStepJob(o.Namespace, o.Owner, stepName(i), spec)
}

// byHand returns a style that creates a Job with client-go and then calls wait.
func byHand(wait func(ctx context.Context, client kubernetes.Interface, job *batchv1.Job) error) func(context.Context, *order, *rest.Config) (runScript, error) {
	return func(_ context.Context, o *order, config *rest.Config) (runScript, error) {
		client, err := kubernetes.NewForConfig(config)
		if err != nil {
			return nil, err
		}
		return func(ctx context.Context, i int) error {
			job, err := scriptJob(o, i)
			if err != nil {
				return err
			}
			if job, err = client.BatchV1().Jobs(o.Namespace).Create(ctx, job, metav1.CreateOptions{}); err != nil {
				return err
			}
			return wait(ctx, client, job)
		}, nil
	}
}

var errScriptFailed = errors.New("the script has failed")

// untilCondition watches one Job until it has ended.
func untilCondition(ctx context.Context, client kubernetes.Interface, job *batchv1.Job) error {
	only := fields.OneTermEqualSelector(metav1.ObjectNameField, job.Name).String()
	lw := listWatch(client, client.BatchV1().Jobs(job.Namespace), func(o *metav1.ListOptions) { o.FieldSelector = only })
	_, err := watchtools.UntilWithSync(ctx, lw, &batchv1.Job{}, nil, func(e watch.Event) (bool, error) {
		job, ok := e.Object.(*batchv1.Job)
		if !ok || !terminal(job) {
			return false, nil
		}
		return true, succeededJob(job)
	})
	return err
}

// untilPhase watches the pods of one Job until one has ended.
func untilPhase(ctx context.Context, client kubernetes.Interface, job *batchv1.Job) error {
	only := labels.SelectorFromSet(labels.Set{batchv1.JobNameLabel: job.Name}).String()
	lw := listWatch(client, client.CoreV1().Pods(job.Namespace), func(o *metav1.ListOptions) { o.LabelSelector = only })
	_, err := watchtools.UntilWithSync(ctx, lw, &corev1.Pod{}, nil, func(e watch.Event) (bool, error) {
		pod, ok := e.Object.(*corev1.Pod)
		switch {
		case !ok:
			return false, nil
		case pod.Status.Phase == corev1.PodFailed:
			return true, errScriptFailed
		}
		return pod.Status.Phase == corev1.PodSucceeded, nil
	})
	return err
}

// byPolling reads one Job every two seconds until it has ended.
func byPolling(ctx context.Context, client kubernetes.Interface, job *batchv1.Job) error {
	for !terminal(job) {
		if err := pause(ctx, pollEvery); err != nil {
			return err
		}
		var err error
		if job, err = client.BatchV1().Jobs(job.Namespace).Get(ctx, job.Name, metav1.GetOptions{}); err != nil {
			return err
		}
	}
	return succeededJob(job)
}

func succeededJob(job *batchv1.Job) error {
	if job.Status.Succeeded != 1 {
		return errScriptFailed
	}
	return nil
}

// byKubectl runs two commands for each script. The first command of all, which is not
// measured, fills kubectl's cache of API groups.
func byKubectl(ctx context.Context, o *order, _ *rest.Config) (runScript, error) {
	kubectl := func(ctx context.Context, args ...string) error {
		args = append([]string{"--kubeconfig", o.Kubeconfig, "--cache-dir", filepath.Join(o.Dir, "kubectl-cache"), "--namespace", o.Namespace}, args...)
		if output, err := exec.CommandContext(ctx, o.Kubectl, args...).CombinedOutput(); err != nil {
			return fmt.Errorf("kubectl %q: %w: %s", args[6:], err, output)
		}
		return nil
	}
	made := make([]*batchv1.Job, o.N)
	file := func(i int) string { return filepath.Join(o.Dir, stepName(i)+".json") }
	for i := range made {
		var err error
		if made[i], err = scriptJob(o, i); err != nil {
			return nil, err
		}
		text, err := json.Marshal(made[i])
		if err != nil {
			return nil, err
		}
		if err := os.WriteFile(file(i), text, 0o600); err != nil {
			return nil, err
		}
	}
	run := func(ctx context.Context, i int) error {
		if err := kubectl(ctx, "create", "-f", file(i)); err != nil {
			return err
		}
		return kubectl(ctx, "wait", "--for=condition=complete", "--timeout="+scriptLimit.String(), "job/"+made[i].Name)
	}
	return run, kubectl(ctx, "get", "jobs")
}
