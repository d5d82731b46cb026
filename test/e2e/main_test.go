package e2e

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"strconv"
	"testing"
	"time"

	"go.uber.org/goleak"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/kontinue/kontinue/test/cluster"
)

const (
	// imageEnv is the environment variable with an image for the cluster of KUBECONFIG.
	imageEnv     = "KONTINUE_E2E_IMAGE"
	foreignImage = "busybox:1.37"
	// parallelism is the number of scenarios that run at a time. They mostly wait; two
	// cores start about one container a second.
	parallelism = 12
	// startLimit leaves room for a busy machine.
	startLimit = 3 * time.Minute
)

// shared is the cluster of all tests.
var shared environment

// environment is a cluster and how to use it.
type environment struct {
	admin   *rest.Config
	version string // of the API server
	image   string
	own     *cluster.Cluster // nil for that of KUBECONFIG
}

func TestMain(m *testing.M) {
	// The handlers after the first limit error reporting to one a millisecond.
	utilruntime.ErrorHandlers = utilruntime.ErrorHandlers[:1]
	flag.Parse()
	if f := flag.Lookup("test.parallel"); f.Value.String() == strconv.Itoa(runtime.GOMAXPROCS(0)) {
		_ = f.Value.Set(strconv.Itoa(parallelism))
	}
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		code = 1
	}
	os.Exit(code)
}

// run starts a cluster, unless KUBECONFIG is set, and runs the tests.
func run(m *testing.M) (code int, err error) {
	if path := os.Getenv(clientcmd.RecommendedConfigPathEnvVar); path != "" {
		shared.admin, err = clientcmd.BuildConfigFromFlags("", path)
		if err != nil {
			return 1, err
		}
		shared.admin.QPS = -1
		shared.image = foreignImage
		if image := os.Getenv(imageEnv); image != "" {
			shared.image = image
		}
		if shared.version, err = serverVersion(shared.admin); err != nil {
			return 1, err
		}
		code = m.Run()
		summary.cluster = "Kubernetes " + shared.version
		summary.print()
		return code, nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), startLimit)
	defer cancel()
	began := time.Now()
	shared.own, err = cluster.Start(ctx, cluster.Options{
		Logger: slog.New(slog.NewTextHandler(os.Stderr, nil)),
		// By default the kubelet rotates logs at 10 MiB, and only reads the newest file.
		KubeletConfig: func(config map[string]any) { config["containerLogMaxSize"] = "64Mi" },
	})
	if err != nil {
		return 1, err
	}
	ready := time.Since(began)
	shared.admin, shared.image = shared.own.RESTConfig(cluster.Admin), cluster.BusyboxImage
	if shared.version, err = serverVersion(shared.admin); err != nil {
		return 1, errors.Join(err, shared.own.Stop(ctx))
	}
	began = time.Now()
	code = m.Run()
	summary.cluster = fmt.Sprintf("Kubernetes %s ready after %s, tests took %s, resident memory of its programs %d MiB",
		shared.own.Version(), ready.Round(100*time.Millisecond), time.Since(began).Round(time.Second), residentMiB(shared.own))
	summary.print()
	if err := summary.save(); err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		code = 1
	}
	stop, cancelStop := context.WithTimeout(context.Background(), startLimit)
	defer cancelStop()
	if err := shared.own.Stop(stop); err != nil {
		return 1, err
	}
	if code == 0 {
		return code, goleak.Find()
	}
	return code, nil
}

// serverVersion asks for the version of the API server.
func serverVersion(config *rest.Config) (string, error) {
	client, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		return "", err
	}
	info, err := client.ServerVersion()
	if err != nil {
		return "", err
	}
	return info.GitVersion, nil
}

// residentMiB sums the resident memory of the cluster's programs.
func residentMiB(c *cluster.Cluster) int {
	total := 0
	for _, component := range []cluster.Component{
		cluster.Etcd, cluster.Containerd, cluster.APIServer, cluster.ControllerManager, cluster.Scheduler, cluster.Kubelet,
	} {
		var size, resident int
		data, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", c.Pid(component)))
		if err != nil {
			continue
		}
		if _, err := fmt.Sscan(string(data), &size, &resident); err == nil {
			total += resident * os.Getpagesize() >> 20
		}
	}
	return total
}
