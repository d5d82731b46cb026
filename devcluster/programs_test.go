//go:build unix

package devcluster_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kontinue/kontinue"
	"github.com/kontinue/kontinue/devcluster"
)

// programs are what the tests start as processes of their own, to kill them.
var programs = map[string]func(out io.Writer, dirs []string) error{"work": workProgram, "write": writeProgram, "fill": fillProgram}

// program is a running one.
type program struct {
	cmd   *exec.Cmd
	lines *bufio.Scanner // of its output
}

func startProgram(t *testing.T, name string, dirs ...string) *program {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], dirs...)
	cmd.Env = append(os.Environ(), programEnv+"="+name)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	p := &program{cmd, bufio.NewScanner(out)}
	t.Cleanup(func() { p.kill() })
	return p
}

// next returns the next line of its output, or "" at the end.
func (p *program) next() string {
	p.lines.Scan()
	return p.lines.Text()
}

// kill kills the program, as kill -9 does, and returns the rest of its output.
func (p *program) kill() (rest []string) {
	_ = p.cmd.Process.Kill()
	for p.lines.Scan() {
		rest = append(rest, p.lines.Text())
	}
	_ = p.cmd.Wait() // it was killed
	return rest
}

// workProgram runs a worker function on a cluster with the data in the first directory. The
// others are those of work.
func workProgram(_ io.Writer, dirs []string) error {
	ctx := context.Background()
	cluster, err := devcluster.Start(ctx, devcluster.Options{Data: dirs[0]})
	if err != nil {
		return err
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	endpoint, err := cluster.Serve(listener, devcluster.ServeOptions{})
	if err != nil {
		return err
	}
	if err := endpoint.WriteKubeconfig(filepath.Join(dirs[1], "kubeconfig")); err != nil {
		return err
	}
	owner, err := cluster.Clientset().CoreV1().ConfigMaps("default").Create(ctx, &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Name: "execution"},
	}, metav1.CreateOptions{})
	if err != nil {
		return err
	}
	_, err = work(ctx, cluster, dirs[1], execution(owner))
	return err
}

func execution(owner *corev1.ConfigMap) kontinue.Execution {
	return kontinue.Execution{
		Namespace: "default", Owner: *metav1.NewControllerRef(owner, corev1.SchemeGroupVersion.WithKind("ConfigMap")),
	}
}

// steps is the number of steps of work.
const steps = 3

// work is a worker function: each step notes in a file that it runs. If there is a file
// with its name and "-hangs", it then starts a process of its own, says so, and runs until
// it is killed. It returns the results of the steps up to the first that fails.
func work(ctx context.Context, cluster *devcluster.Cluster, dir string, execution kontinue.Execution) ([]*kontinue.PodResult, error) {
	client, err := kontinue.New(kontinue.Config{Clientset: cluster.Clientset(), Namespace: "default"})
	if err != nil {
		return nil, err
	}
	if err := client.Start(ctx); err != nil {
		return nil, err
	}
	defer func() { _ = client.Stop(ctx) }()
	ktx, err := client.NewExecutionContext(ctx, execution)
	if err != nil {
		return nil, err
	}
	var results []*kontinue.PodResult
	for i := range steps {
		result, err := kontinue.RunScript(ktx, &kontinue.ScriptOptions{
			Image: "busybox",
			Command: fmt.Sprintf(`cd '%s'
echo run %d >> runs
if [ -e %[2]d-hangs ]; then sleep 100000 & echo $! > child.new; mv child.new child; wait; fi
echo result %[2]d`, dir, i),
		})
		if err != nil {
			return results, err
		}
		results = append(results, result)
		if result.Err() != nil {
			return results, nil
		}
		logs, err := result.Logs(ktx, nil)
		if err != nil || logs != fmt.Sprintf("result %d\n", i) {
			return results, fmt.Errorf("step %d has the log %q: %w", i, logs, err)
		}
	}
	return results, nil
}

// writeProgram creates ConfigMaps and prints the name of each that was created.
func writeProgram(out io.Writer, dirs []string) error {
	ctx := context.Background()
	cluster, err := devcluster.Start(ctx, devcluster.Options{Data: dirs[0]})
	if err != nil {
		return err
	}
	var wg sync.WaitGroup
	for writer := range 4 {
		wg.Go(func() {
			for i := 0; ; i++ {
				made, err := cluster.Clientset().CoreV1().ConfigMaps("default").Create(ctx, &corev1.ConfigMap{
					ObjectMeta: metav1.ObjectMeta{GenerateName: fmt.Sprintf("w%d-%d-", writer, i)},
				}, metav1.CreateOptions{})
				if err != nil {
					fmt.Fprintln(out, err)
					return
				}
				fmt.Fprintln(out, made.Name, made.UID, made.ResourceVersion)
			}
		})
	}
	wg.Wait()
	return nil
}

// fillProgram writes until its limit of the size of files is reached, as on a full disk,
// prints the error, and writes again without the limit.
func fillProgram(out io.Writer, dirs []string) error {
	ctx := context.Background()
	cluster, err := devcluster.Start(ctx, devcluster.Options{Data: dirs[0]})
	if err != nil {
		return err
	}
	defer cluster.Stop()
	maps := cluster.Clientset().CoreV1().ConfigMaps("default")
	create := func(name string) error {
		_, err := maps.Create(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{})
		return err
	}
	var before syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &before); err != nil {
		return err
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: 100_000, Max: before.Max}); err != nil {
		return err
	}
	n := 0
	for err = create("map-0"); err == nil; err = create(fmt.Sprint("map-", n)) {
		n++
	}
	fmt.Fprintln(out, n, apierrors.IsInternalError(err), err)
	list, err := maps.List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	fmt.Fprintln(out, len(list.Items))
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &before); err != nil {
		return err
	}
	fmt.Fprintln(out, create("after"))
	return nil
}
