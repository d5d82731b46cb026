// River runs the steps of a river job as Kubernetes Jobs.
//
//	go run .
//
// Cluster and queue are in memory. KUBECONFIG names another cluster, and QUEUE the SQLite file
// of a queue that stays: then a start of the program continues what an earlier one has left,
// also after kill -9.
package main

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riversqlite"
	"github.com/riverqueue/river/rivermigrate"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	_ "modernc.org/sqlite"

	"github.com/kontinue/kontinue"
	"github.com/kontinue/kontinue/devcluster"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// run releases release-42, unless the queue has it, and returns when that has ended.
func run(ctx context.Context) (err error) {
	config, stop, err := cluster(ctx)
	if err != nil {
		return err
	}
	defer stop()
	queue, err := openQueue(ctx, cmp.Or(os.Getenv("QUEUE"), ":memory:"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, queue.Close()) }()
	w, err := newWorker(ctx, config)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.client.Stop(ctx)) }()
	jobs, err := river.NewClient(riversqlite.New(queue), riverConfig(w))
	if err != nil {
		return err
	}
	events, unsubscribe := jobs.Subscribe(river.EventKindJobCompleted, river.EventKindJobFailed, river.EventKindJobCancelled)
	defer unsubscribe()
	if err := jobs.Start(ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, jobs.StopAndCancel(context.WithoutCancel(ctx))) }()

	inserted, err := jobs.Insert(ctx, release{Name: "release-42"}, &river.InsertOpts{UniqueOpts: river.UniqueOpts{ByArgs: true}})
	if err != nil {
		return err
	}
	row := inserted.Job // of an earlier start, if there is one
	for row.FinalizedAt == nil {
		select {
		case e := <-events:
			row = e.Job
			fmt.Printf("river job %d: attempt %d, state %s\n", row.ID, row.Attempt, row.State)
		case <-ctx.Done():
			return nil // the Jobs keep running
		}
	}
	return w.finish(ctx, row)
}

// cluster returns the cluster of KUBECONFIG, or one in memory until stop is called.
func cluster(ctx context.Context) (config *rest.Config, stop func(), err error) {
	if file := os.Getenv("KUBECONFIG"); file != "" {
		config, err := clientcmd.BuildConfigFromFlags("", file)
		return config, func() {}, err
	}
	memory, err := devcluster.Start(ctx, devcluster.Options{})
	if err != nil {
		return nil, nil, err
	}
	return memory.RESTConfig(), memory.Stop, nil
}

// openQueue opens the SQLite file of a queue.
func openQueue(ctx context.Context, file string) (*sql.DB, error) {
	db, err := sql.Open("sqlite", "file:"+file+"?_pragma=busy_timeout(5000)&_pragma=journal_mode(wal)")
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1) // as riversqlite advises
	migrator, err := rivermigrate.New(riversqlite.New(db), nil)
	if err == nil {
		_, err = migrator.Migrate(ctx, rivermigrate.DirectionUp, nil)
	}
	return db, err
}

// riverConfig is that of a river client that works releases.
func riverConfig(w *worker) *river.Config {
	workers := river.NewWorkers()
	river.AddWorker(workers, w)
	return &river.Config{
		Queues:               map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: 100}},
		Workers:              workers,
		JobTimeout:           w.Timeout(nil),
		RescueStuckJobsAfter: w.Timeout(nil),
	}
}

// newWorker returns a worker whose client is started.
func newWorker(ctx context.Context, config *rest.Config) (*worker, error) {
	clientset, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	client, err := kontinue.New(kontinue.Config{RESTConfig: config, Namespace: "default", Group: "river", Observer: &kontinue.Observer{
		StepEnded: func(_ context.Context, e kontinue.StepEnd) {
			fmt.Printf("step %s of %s: %s %v\n", e.Step, e.Owner.Name, e.State, e.Err)
		},
	}})
	if err != nil {
		return nil, err
	}
	return &worker{client: client, clientset: clientset, namespace: "default", slice: 5 * time.Minute, function: steps}, client.Start(ctx)
}
