package kontinue_test

import (
	"context"
	"fmt"
	"hash/maphash"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/fx"
	"go.uber.org/fx/fxtest"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/client-go/rest"

	"github.com/kontinue/kontinue"
	"github.com/kontinue/kontinue/internal/fakecluster"
	"github.com/kontinue/kontinue/jobs"
	"github.com/kontinue/kontinue/logs"
	"github.com/kontinue/kontinue/watch"
)

// arrangement is a way in which an application may use the module.
type arrangement struct {
	options []fx.Option
	// clients is how many clients there are. The named ones are "ci" and "nightly".
	clients int
}

// arrangements returns them for a cluster, with what an application has of its own.
func arrangements(cluster *rest.Config) map[string]arrangement {
	config := kontinue.Config{RESTConfig: cluster, Namespace: "ns"}
	own := fx.Provide(
		func() *rest.Config { return cluster },
		func(c *rest.Config) (kubernetes.Interface, error) { return kubernetes.NewForConfig(c) },
	)
	ownModule := fx.Module("kubernetes", own)
	fromREST := fx.Provide(func(c *rest.Config) kontinue.Config { return kontinue.Config{RESTConfig: c, Namespace: "ns"} })
	fromClientset := fx.Provide(func(c kubernetes.Interface) kontinue.Config {
		return kontinue.Config{Clientset: c, Namespace: "ns"}
	})
	parts := fx.Provide(
		func() watch.Config { return watch.Config{Clientset: fake.NewClientset()} }, watch.New,
		func(c kubernetes.Interface) *jobs.Client { return jobs.NewClient(c, jobs.Options{}) },
		logs.NewReader,
	)
	named := func(name string) fx.Option {
		return fx.Supply(fx.Annotate(config, fx.ResultTags(`name:"`+name+`"`)))
	}
	one := func(options ...fx.Option) arrangement { return arrangement{options, 1} }
	return map[string]arrangement{
		"Config is supplied":                             one(fx.Supply(config), kontinue.Module),
		"and comes last":                                 one(kontinue.Module, fx.Supply(config)),
		"own clientset":                                  one(fx.Supply(config), own, kontinue.Module),
		"own clientset comes last":                       one(fx.Supply(config), kontinue.Module, own),
		"own clientset in a module":                      one(fx.Supply(config), ownModule, kontinue.Module),
		"own clientset in a module that comes last":      one(fx.Supply(config), kontinue.Module, ownModule),
		"Config from own rest.Config":                    one(kontinue.Module, fromREST, ownModule),
		"Config from own clientset":                      one(kontinue.Module, ownModule, fromClientset),
		"own parts of kontinue":                          one(kontinue.Module, own, fromREST, parts),
		"in a module":                                    one(fx.Module("app", kontinue.Module, fx.Supply(config)), own),
		"in a module of a module":                        one(fx.Module("app", fx.Module("jobs", kontinue.Module)), fromREST, ownModule),
		"in a module with a private Config":              one(fx.Module("app", kontinue.Module, fx.Provide(func() kontinue.Config { return config }, fx.Private)), own),
		"in a module with a private clientset":           one(fx.Module("app", kontinue.Module, fromClientset, fx.Provide(func(c *rest.Config) (kubernetes.Interface, error) { return kubernetes.NewForConfig(c) }, fx.Private)), fx.Supply(cluster)),
		"Config is decorated":                            one(kontinue.Module, fx.Supply(kontinue.Config{Namespace: "ns"}), own, fx.Decorate(func(c kontinue.Config, r *rest.Config) kontinue.Config { c.RESTConfig = r; return c })),
		"named":                                          one(kontinue.ModuleNamed("ci"), named("ci"), own),
		"two named":                                      {[]fx.Option{kontinue.ModuleNamed("ci"), named("ci"), kontinue.ModuleNamed("nightly"), named("nightly"), own}, 2},
		"two named in modules, with an own clientset":    {[]fx.Option{fx.Module("a", kontinue.ModuleNamed("ci"), named("ci")), fx.Module("b", kontinue.ModuleNamed("nightly"), named("nightly")), ownModule}, 2},
		"one with a name and one without":                {[]fx.Option{kontinue.Module, fx.Supply(config), kontinue.ModuleNamed("ci"), named("ci"), own}, 2},
		"a named one that is made from own rest.Config":  one(kontinue.ModuleNamed("ci"), own, fx.Provide(fx.Annotate(func(c *rest.Config) kontinue.Config { return kontinue.Config{RESTConfig: c, Namespace: "ns"} }, fx.ResultTags(`name:"ci"`)))),
		"a named one for a group, and an own dispatcher": one(kontinue.ModuleNamed("ci"), named("ci"), own, parts),
	}
}

// clients are those of an application.
type clients struct {
	fx.In
	Unnamed *kontinue.Client `optional:"true"`
	CI      *kontinue.Client `name:"ci" optional:"true"`
	Nightly *kontinue.Client `name:"nightly" optional:"true"`
}

func (c clients) all() (all []*kontinue.Client) {
	for _, client := range []*kontinue.Client{c.Unnamed, c.CI, c.Nightly} {
		if client != nil {
			all = append(all, client)
		}
	}
	return all
}

// TestModuleInEveryArrangement: the application is valid, each of its clients starts with
// it and runs a step, and stops with it.
func TestModuleInEveryArrangement(t *testing.T) {
	t.Parallel()
	cluster := fakecluster.New(fakecluster.Options{})
	require.NoError(t, cluster.Start(context.Background()))
	t.Cleanup(cluster.Stop)
	owner, err := cluster.CreateOwner(context.Background(), "ns", "release")
	require.NoError(t, err)
	seed := maphash.MakeSeed()
	for name, tc := range arrangements(cluster.Config()) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			options := append([]fx.Option{fx.NopLogger}, tc.options...)
			require.NoError(t, fx.ValidateApp(options...))
			var found clients
			app := fxtest.New(t, append(options, fx.Populate(&found))...)
			require.Len(t, found.all(), tc.clients)
			app.RequireStart()
			for i, client := range found.all() {
				require.NoError(t, client.Healthy())
				ktx, err := client.NewExecutionContext(t.Context(), kontinue.Execution{Owner: owner})
				require.NoError(t, err)
				_, err = kontinue.RunScript(ktx, &kontinue.ScriptOptions{
					StepOptions: kontinue.StepOptions{Name: fmt.Sprintf("step%x-%d", maphash.String(seed, name), i)}, Image: "alpine:3", Command: "true",
				})
				require.NoError(t, err)
			}
			app.RequireStop()
			for _, client := range found.all() {
				require.ErrorIs(t, client.Healthy(), kontinue.ErrNotRunning)
			}
		})
	}
}

func TestModuleNamed(t *testing.T) {
	t.Parallel()
	require.ErrorContains(t, fx.ValidateApp(kontinue.ModuleNamed("ci"), fx.Supply(kontinue.Config{}), fx.NopLogger),
		`missing type: kontinue.Config[name="ci"]`, "a Config without the name is not for it")
	for _, name := range []string{"", "a\"b", "a`b", `a\b`} {
		err := fx.New(kontinue.ModuleNamed(name), fx.NopLogger).Err()
		require.ErrorIs(t, err, kontinue.ErrInvalid, name)
		require.ErrorContains(t, err, "ModuleNamed", name)
	}
}
